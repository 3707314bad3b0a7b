"""verl's `gmpo` advantage estimator: GRPO's group normalisation, exact for equal rewards."""

from typing import Any

import numpy as np
import torch

STD_EPSILON = 1e-6  # verl's own; keeps a tiny, but real, spread from exploding


def gmpo_advantage(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray,
    config: Any = None,
    **_: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A_i = (r_i - mean r) / std r over the responses of one prompt, std with n - 1 (paper, section 2).

    Args:
        token_level_rewards: [B, T]; a response's reward is its sum.
        response_mask: [B, T].
        index: [B], the prompt each response belongs to; groups may interleave and differ in size.
        config: verl's AlgoConfig; `norm_adv_by_std_in_grpo: false` leaves out the division (Dr.GRPO).

    Returns:
        advantages and returns, both [B, T]: one number a response, zero on padding. Equal rewards give exactly zero
        whatever their value (their float mean may differ from them by rounding); a group of one gives zero.
    """
    rewards_B = token_level_rewards.sum(-1)
    normalise = True if config is None else bool(config.get("norm_adv_by_std_in_grpo", True))
    group_B = torch.as_tensor(np.unique(np.asarray(index, dtype=str), return_inverse=True)[1], device=rewards_B.device)
    advantages_B = group_advantages(rewards_B, group_B, normalise)
    advantages = advantages_B.unsqueeze(-1) * response_mask
    return advantages, advantages


def group_advantages(rewards_B: torch.Tensor, group_B: torch.Tensor, normalise: bool) -> torch.Tensor:
    """Group-normalised advantages, [B]; `group_B` holds group numbers 0 .. G - 1. Computed in float64."""
    rewards = rewards_B.double()
    groups = int(group_B.max()) + 1 if len(group_B) else 0

    def over_groups(values: torch.Tensor, reduce: str) -> torch.Tensor:
        out = torch.zeros(groups, dtype=torch.float64, device=values.device)
        return out.scatter_reduce(0, group_B, values, reduce, include_self=False)[group_B]

    size = over_groups(torch.ones_like(rewards), "sum")
    centred = rewards - over_groups(rewards, "mean")
    if normalise:
        std = (over_groups(centred.square(), "sum") / (size - 1).clamp(min=1)).sqrt()
        centred = centred / (std + STD_EPSILON)
    spread = over_groups(rewards, "amax") - over_groups(rewards, "amin")
    return torch.where(spread > 0, centred, 0.0).to(rewards_B.dtype)
