"""The family written naively, one response and one token at a time: what the implementation is held to."""

import math

import torch

from gmpo_verl.algorithms.power_mean import Objective


def clipped(log_ratio: torch.Tensor, advantage: float, objective: Objective) -> torch.Tensor:
    if advantage > 0 and log_ratio > objective.clip_high:
        return log_ratio.detach() * 0 + objective.clip_high
    if advantage < 0 and log_ratio < -objective.clip_low:
        return log_ratio.detach() * 0 - objective.clip_low
    return log_ratio


def response_loss(
    log_probs: torch.Tensor, old_log_probs: torch.Tensor, advantage: float, objective: Objective
) -> torch.Tensor:
    """-A * M_p(clip(rho)) of one response without padding; zero for an empty one."""
    n, p = len(log_probs), objective.mean_exponent
    if n == 0:
        return torch.zeros((), dtype=log_probs.dtype)
    log_ratios = [new - old for new, old in zip(log_probs, old_log_probs, strict=True)]
    if objective.clip_level == "sequence":
        ratio = clipped(sum(log_ratios), advantage, objective).exp()
        return -advantage * (ratio ** (1 / n) if objective.length_norm else ratio)
    if objective.clip_level == "token":
        log_ratios = [clipped(log_ratio, advantage, objective) for log_ratio in log_ratios]
    ratios = [log_ratio.exp() for log_ratio in log_ratios]
    if p != 0:
        return -advantage * (sum(ratio**p for ratio in ratios) / n) ** (1 / p)
    return -advantage * math.prod(ratios) ** (1 / n if objective.length_norm else 1)


def batch_loss(log_prob, old_log_prob, advantages_B, mask, objective, scale_factor=None) -> torch.Tensor:
    """The mean over the responses that have tokens; with Dr.GRPO's constant, each weighted by |o| over it."""
    total, count = torch.zeros((), dtype=log_prob.dtype), 0
    for row in range(len(log_prob)):
        keep = mask[row].bool()
        if keep.any():
            weight = 1 if scale_factor is None else keep.sum() / scale_factor
            loss = response_loss(log_prob[row][keep], old_log_prob[row][keep], advantages_B[row].item(), objective)
            total, count = total + weight * loss, count + 1
    return total / max(count, 1)
