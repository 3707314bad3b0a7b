"""The clipped, masked power mean of importance ratios, in log space: GMPO and its family in one formula.

Shapes: B responses, T tokens (padded). `log_ratio_BT` holds log rho_t = log_prob - old_log_prob, zero on padding.
"""

from dataclasses import dataclass

import torch

# exp() of a mean log ratio beyond this is no longer a policy ratio but an overflow: nothing clips upward when A < 0,
# and exp(100) is infinite in float32. exp(20) = 4.9e8 leaves float32 room for sums over a batch. Beyond it the
# gradient is zero.
MAX_ABS_MEAN_LOG_RATIO = 20.0


@dataclass(frozen=True)
class Objective:
    """One member of the family; the defaults are GMPO (paper, section 3).

    Args:
        clip_low, clip_high: the window [-clip_low, clip_high] of log ratios, in LOG space, both >= 0.
        mean_exponent: p of the power mean over a response's tokens: 1 arithmetic (GRPO), 0 geometric, -1 harmonic.
        clip_level: what is held to the window: every token's log ratio, the sum over a sequence (table 4), or none.
        length_norm: whether the geometric mean takes the root of |o| tokens, or is their product (table 4).

    Raises:
        ValueError: the sequence clip, or no length norm, with an exponent other than 0, where they are not defined.
    """

    clip_low: float = 0.4
    clip_high: float = 0.4
    mean_exponent: float = 0.0
    clip_level: str = "token"
    length_norm: bool = True

    def __post_init__(self) -> None:
        if self.clip_level not in ("token", "sequence", "none"):
            raise ValueError(f"clip_level={self.clip_level} is not one of token, sequence, none")
        if self.mean_exponent != 0.0 and (self.clip_level == "sequence" or not self.length_norm):
            raise ValueError("clip_level=sequence and length_norm=false are defined for mean_exponent=0 alone")


def response_losses(
    log_ratio_BT: torch.Tensor, mask_BT: torch.Tensor, advantages_B: torch.Tensor, objective: Objective
) -> torch.Tensor:
    """-A * ratio of each response, [B]; exactly zero for an empty one.

    Args:
        log_ratio_BT: of `masked_log_ratio`.
        mask_BT: True on response tokens.
        advantages_B: one number a response.
    """
    mean_B = mean_log_ratio(log_ratio_BT, mask_BT, advantages_B, objective)
    ratio_B = mean_B.clamp(-MAX_ABS_MEAN_LOG_RATIO, MAX_ABS_MEAN_LOG_RATIO).exp()
    return torch.where(response_lengths(mask_BT) > 0, -advantages_B * ratio_B, 0.0)


def masked_log_ratio(log_probs_BT: torch.Tensor, old_log_probs_BT: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
    """log rho of every response token, zero on padding, whatever stands there; in float32 or better."""
    dtype = torch.promote_types(log_probs_BT.dtype, torch.float32)
    return torch.where(mask_BT, log_probs_BT.to(dtype) - old_log_probs_BT, 0.0)


def response_lengths(mask_BT: torch.Tensor) -> torch.Tensor:
    """|o| of each response, [B]; in int32, as torch copies a mask to the type of its sum."""
    return mask_BT.sum(-1, dtype=torch.int32)


def mean_log_ratio(
    log_ratio_BT: torch.Tensor, mask_BT: torch.Tensor, advantages_B: torch.Tensor, objective: Objective
) -> torch.Tensor:
    """log of each response's ratio, [B] in log space: the one-sided clip, then the mean (paper, eq. 4)."""
    if objective.clip_level == "token":
        log_ratio_BT = clip_log_ratio(log_ratio_BT, advantages_B.unsqueeze(-1), objective)
    if objective.mean_exponent != 0.0:
        return log_power_mean(log_ratio_BT, mask_BT, objective.mean_exponent)
    sum_B = log_ratio_BT.sum(-1)
    if objective.clip_level == "sequence":
        sum_B = clip_log_ratio(sum_B, advantages_B, objective)
    return sum_B / response_lengths(mask_BT).clamp(min=1) if objective.length_norm else sum_B


def clip_log_ratio(log_ratio: torch.Tensor, advantages: torch.Tensor, objective: Objective) -> torch.Tensor:
    """min(rho A, clip(rho) A) in log space: binds on the one side where the objective would profit, as in PPO."""
    return log_ratio.clamp(*one_sided_window(advantages, objective, log_ratio.dtype))


def one_sided_window(
    advantages: torch.Tensor, objective: Objective, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Bounds of log rho, in LOG space: below for A < 0, above for A > 0; infinite where there is none."""
    low = torch.full_like(advantages, -torch.inf, dtype=dtype).masked_fill(advantages < 0, -objective.clip_low)
    high = torch.full_like(advantages, torch.inf, dtype=dtype).masked_fill(advantages > 0, objective.clip_high)
    return low, high


def log_power_mean(log_x_BT: torch.Tensor, mask_BT: torch.Tensor, exponent: float) -> torch.Tensor:
    """log M_p of exp(log_x) over each row's unmasked tokens, [B]; p = 1 arithmetic, 0 geometric, -1 harmonic.

    An empty row gives 0; padding of `log_x` may hold anything finite.

    log M_p = (logsumexp(p x) - log n) / p, written as (s + log1p(mean(expm1(p x - s)))) / p with s = max(p x), which
    neither overflows for large p x nor cancels for p near 0, where it goes over into the mean of x.
    """
    count_B = response_lengths(mask_BT).clamp(min=1)
    if exponent == 0.0 or log_x_BT.shape[-1] == 0:
        return torch.where(mask_BT, log_x_BT, 0.0).sum(-1) / count_B
    scaled_BT = exponent * log_x_BT
    # s cancels in value and in gradient alike, so it takes no part in autograd.
    shift_B1 = torch.where(mask_BT, scaled_BT, -torch.inf).amax(-1, keepdim=True).detach()
    shift_B1 = torch.where(mask_BT.any(-1, keepdim=True), shift_B1, 0.0)
    excess_BT = torch.expm1(torch.where(mask_BT, scaled_BT - shift_B1, 0.0))
    return (shift_B1.squeeze(-1) + torch.log1p(excess_BT.sum(-1) / count_B)) / exponent
