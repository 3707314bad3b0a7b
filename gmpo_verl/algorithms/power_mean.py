"""The clipped, masked power mean of importance ratios, in log space: GMPO and its family in one formula.

Shapes: B responses, T tokens (padded). `log_ratio_BT` holds log rho_t = log_prob - old_log_prob.
"""

import torch

# exp() of a mean log ratio beyond this is no longer a policy ratio but an overflow: nothing clips upward when A < 0,
# and exp(100) is infinite in float32. exp(20) = 4.9e8 leaves float32 room for sums over a batch. Beyond it the
# gradient is zero.
MAX_ABS_MEAN_LOG_RATIO = 20.0


def clip_log_ratio(
    log_ratio: torch.Tensor, advantages: torch.Tensor, clip_low: float, clip_high: float
) -> torch.Tensor:
    """Clip log ratios on the one side where the objective would profit, as PPO does.

    A > 0 binds only from above, A < 0 only from below: min(rho A, clip(rho) A) in log space (paper, eq. 4).

    Args:
        log_ratio: log rho, any shape that broadcasts with `advantages`.
        advantages: their signs decide the side; zero advantages are left alone.
        clip_low, clip_high: the window [-clip_low, clip_high], in LOG space, both >= 0.
    """
    clipped_above = torch.where(advantages > 0, log_ratio.clamp(max=clip_high), log_ratio)
    return torch.where(advantages < 0, clipped_above.clamp(min=-clip_low), clipped_above)


def log_power_mean(log_x_BT: torch.Tensor, mask_BT: torch.Tensor, exponent: float) -> torch.Tensor:
    """log M_p of exp(log_x) over each row's unmasked tokens, [B]; p = 1 arithmetic, 0 geometric, -1 harmonic.

    An empty row gives 0.

    log M_p = (logsumexp(p x) - log n) / p, written as (s + log1p(mean(expm1(p x - s)))) / p with s = max(p x), which
    neither overflows for large p x nor cancels for p near 0, where it goes over into the mean of x.
    """
    count_B = mask_BT.sum(-1).clamp(min=1)
    if exponent == 0.0:
        return torch.where(mask_BT, log_x_BT, 0.0).sum(-1) / count_B
    scaled_BT = exponent * log_x_BT
    # s cancels in value and in gradient alike, so it takes no part in autograd.
    shift_B1 = torch.where(mask_BT, scaled_BT, -torch.inf).amax(-1, keepdim=True).detach()
    shift_B1 = torch.where(mask_BT.any(-1, keepdim=True), shift_B1, 0.0)
    excess_BT = torch.expm1(torch.where(mask_BT, scaled_BT - shift_B1, 0.0))
    return (shift_B1.squeeze(-1) + torch.log1p(excess_BT.sum(-1) / count_B)) / exponent


def mean_log_ratio(
    log_probs_BT: torch.Tensor,
    old_log_probs_BT: torch.Tensor,
    mask_BT: torch.Tensor,
    advantages_B: torch.Tensor,
    *,
    clip_low: float,
    clip_high: float,
    mean_exponent: float = 0.0,
) -> torch.Tensor:
    """log of each response's ratio, [B] in log space: one-sided clip of every token, then the mean over |o| tokens.

    Padding may hold anything, NaN and inf included. Computed in float32 or better. Paper, section 3.1 (exponent 0).
    """
    dtype = torch.promote_types(log_probs_BT.dtype, torch.float32)
    log_ratio_BT = torch.where(mask_BT, log_probs_BT.to(dtype) - old_log_probs_BT.to(dtype), 0.0)
    clipped_BT = clip_log_ratio(log_ratio_BT, advantages_B.unsqueeze(-1), clip_low, clip_high)
    return log_power_mean(clipped_BT, mask_BT, mean_exponent)


def response_losses(mean_log_ratio_B: torch.Tensor, advantages_B: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
    """-A * ratio of each response, [B] in ratio space; exactly zero for an empty response."""
    ratio_B = mean_log_ratio_B.clamp(-MAX_ABS_MEAN_LOG_RATIO, MAX_ABS_MEAN_LOG_RATIO).exp()
    return torch.where(mask_BT.any(-1), -advantages_B * ratio_B, 0.0)
