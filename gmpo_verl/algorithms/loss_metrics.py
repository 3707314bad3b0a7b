"""What a policy update did to each response, and the exact metrics of a round.

Means of micro-batch means depend on the cut. So the workers report a few numbers a response (`response_statistics`),
and one place sums them up over all responses of the round's mini-batches (`update_metrics`).

Shapes: B responses, T tokens (padded).
"""

from collections.abc import Mapping

import numpy as np
import torch

from gmpo_verl.algorithms.power_mean import (
    MAX_ABS_MEAN_LOG_RATIO,
    Objective,
    masked_log_ratio,
    mean_log_ratio,
    one_sided_window,
    response_lengths,
)


def response_statistics(
    log_probs_BT: torch.Tensor,
    old_log_probs_BT: torch.Tensor,
    mask_BT: torch.Tensor,
    advantages_B: torch.Tensor,
    objective: Objective | None,
) -> dict[str, torch.Tensor]:
    """Numbers of each response, [B] each; zeros for an empty one.

    Args:
        objective: of the loss; None for a loss outside the family, whose clip and clamp are then left out.

    Returns:
        `length` |o| in tokens, `advantage`; of the unclipped log rho_t over the response's tokens `log_ratio_sum`
        (the paper's figure 6 shows it against the length), `log_ratio_min`, `log_ratio_max`; and with an objective
        `clipped_high`, `clipped_low` (tokens whose clip binds) and `clamped` (1 where the mean is beyond +-20).
    """
    log_ratio_BT = masked_log_ratio(log_probs_BT, old_log_probs_BT, mask_BT)
    length_B = response_lengths(mask_BT)
    filled_B = length_B > 0
    statistics = {
        "length": length_B,
        "advantage": advantages_B,
        "log_ratio_sum": log_ratio_BT.sum(-1),
        "log_ratio_min": torch.where(mask_BT, log_ratio_BT, torch.inf).amin(-1).where(filled_B, 0.0),
        "log_ratio_max": torch.where(mask_BT, log_ratio_BT, -torch.inf).amax(-1).where(filled_B, 0.0),
    }
    if objective is None:
        return statistics
    clipped_high_B, clipped_low_B = binding_clips(log_ratio_BT, length_B, advantages_B, objective)
    mean_B = mean_log_ratio(log_ratio_BT, mask_BT, advantages_B, objective)
    return statistics | {
        "clipped_high": clipped_high_B,
        "clipped_low": clipped_low_B,
        "clamped": mean_B.abs() > MAX_ABS_MEAN_LOG_RATIO,
    }


def binding_clips(
    log_ratio_BT: torch.Tensor, length_B: torch.Tensor, advantages_B: torch.Tensor, objective: Objective
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens of each response, [B], without gradient because of the clip above and of the clip below.

    A sequence clip that binds takes all tokens of the response.
    """
    if objective.clip_level == "none":
        return torch.zeros_like(length_B), torch.zeros_like(length_B)
    low_B, high_B = one_sided_window(advantages_B, objective, log_ratio_BT.dtype)
    if objective.clip_level == "sequence":
        sum_B = log_ratio_BT.sum(-1)
        return length_B * (sum_B > high_B), length_B * (sum_B < low_B)
    above_BT, below_BT = log_ratio_BT > high_B.unsqueeze(-1), log_ratio_BT < low_B.unsqueeze(-1)
    return response_lengths(above_BT), response_lengths(below_BT)


def update_metrics(statistics: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Metrics over all responses of a round's updates, whatever their cut into micro-batches and ranks.

    Args:
        statistics: of `response_statistics`, joined over the updates; [N] each. Empty responses take no part.

    Returns:
        `log_ratio_min|max` over tokens (LOG space); `seq_ratio_mean|min|max` of exp(mean_t log rho_t), the unclipped
        geometric-mean ratio of a response; `zero_advantage_frac` of responses; and where the loss has them
        `clip_frac_high|low`, the fraction of response tokens whose clip binds, and `clamped_frac` of responses.
        Also verl's `actor/ppo_kl` and, of the family, `actor/pg_clipfrac`, exact in place of its means of means.
    """
    filled = statistics["length"] > 0
    if not filled.any():
        return {}
    of = {name: values[filled].astype(np.float64) for name, values in statistics.items()}
    seq_ratio = np.exp(of["log_ratio_sum"] / of["length"])
    tokens = of["length"].sum()
    metrics = {
        "gmpo/log_ratio_min": of["log_ratio_min"].min(),
        "gmpo/log_ratio_max": of["log_ratio_max"].max(),
        "gmpo/seq_ratio_mean": seq_ratio.mean(),
        "gmpo/seq_ratio_min": seq_ratio.min(),
        "gmpo/seq_ratio_max": seq_ratio.max(),
        "gmpo/zero_advantage_frac": (of["advantage"] == 0).mean(),
        "actor/ppo_kl": -of["log_ratio_sum"].sum() / tokens,
    }
    if "clamped" in of:
        high, low = of["clipped_high"].sum() / tokens, of["clipped_low"].sum() / tokens
        metrics |= {
            "gmpo/clip_frac_high": high,
            "gmpo/clip_frac_low": low,
            "actor/pg_clipfrac": high + low,
            "gmpo/clamped_frac": of["clamped"].mean(),
        }
    return {name: float(value) for name, value in metrics.items()}


def kl_to_reference(log_probs_BT: torch.Tensor, ref_log_probs_BT: torch.Tensor, mask_BT: torch.Tensor) -> float:
    """KL(policy || reference) in nats a token, by the k3 estimator on tokens that the policy sampled; mean over tokens.

    k3 = exp(r) - 1 - r with r = log ref - log policy (Schulman, "Approximating KL divergence", 2020): unbiased as the
    plain -r is, never negative, and of lower variance where the two are close.
    """
    r = torch.where(mask_BT, ref_log_probs_BT - log_probs_BT, 0.0).double().clamp(max=MAX_ABS_MEAN_LOG_RATIO)
    return ((r.expm1() - r).sum() / mask_BT.sum().clamp(min=1)).item()
