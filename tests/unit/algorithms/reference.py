"""GMPO and GRPO written naively, one response and one token at a time: what the implementation is held to."""

import math

import torch


def response_loss(
    log_probs: torch.Tensor, old_log_probs: torch.Tensor, advantage: float, low: float, high: float, exponent: float
) -> torch.Tensor:
    """-A * M_p(clip(rho)) of one response without padding; zero for an empty one."""
    if len(log_probs) == 0:
        return torch.zeros((), dtype=log_probs.dtype)
    ratios = []
    for log_prob, old in zip(log_probs, old_log_probs, strict=True):
        log_ratio = log_prob - old
        if advantage > 0 and log_ratio > high:
            log_ratio = log_ratio.detach() * 0 + high
        if advantage < 0 and log_ratio < -low:
            log_ratio = log_ratio.detach() * 0 - low
        ratios.append(log_ratio.exp())
    n = len(ratios)
    if exponent == 0:
        mean = math.prod(ratios) ** (1 / n)
    else:
        mean = (sum(ratio**exponent for ratio in ratios) / n) ** (1 / exponent)
    return -advantage * mean


def batch_loss(log_prob, old_log_prob, advantages_B, mask, low, high, exponent) -> torch.Tensor:
    """The mean over the responses that have tokens."""
    total, count = torch.zeros((), dtype=log_prob.dtype), 0
    for row in range(len(log_prob)):
        keep = mask[row].bool()
        if keep.any():
            total = total + response_loss(
                log_prob[row][keep], old_log_prob[row][keep], advantages_B[row].item(), low, high, exponent
            )
            count += 1
    return total / max(count, 1)
