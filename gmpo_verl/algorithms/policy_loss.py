"""verl's `gmpo` policy loss: the power mean of `power_mean.py`, normalised over the GLOBAL mini-batch."""

from typing import Any

import torch

from gmpo_verl.algorithms.power_mean import mean_log_ratio, response_losses

PAPER_CLIP = 0.4  # log space: ratios in (e^-0.4, e^0.4) = (0.670, 1.492)


def gmpo_policy_loss(
    old_log_prob: torch.Tensor,
    log_prob: torch.Tensor,
    advantages: torch.Tensor,
    response_mask: torch.Tensor,
    loss_agg_mode: str = "seq-mean-token-mean",
    config: Any = None,
    rollout_is_weights: torch.Tensor | None = None,
) -> tuple[torch.Tensor, dict[str, Any]]:
    """J_GMPO of arXiv 2507.20673, eq. 4, as a loss: the mean over responses of -A * (prod_t clip(rho_t))^(1/|o|).

    The sum over the responses at hand is divided by the number of responses of the global mini-batch (verl's
    `global_batch_info`), so that the gradient does not depend on how a mini-batch is cut into micro-batches or over
    ranks; verl's own `geo_mean` divides by the micro-batch.

    Args:
        old_log_prob, log_prob, advantages: [B, T]; the advantage is one number a response.
        response_mask: [B, T], 1 or True on response tokens.
        loss_agg_mode: verl passes its setting; the objective defines its own mean (over tokens in log space, then over
            responses), which preflight holds the setting to.
        config: verl's ActorConfig. The window is `clip_ratio_low`, `clip_ratio_high`, in LOG space;
            `policy_loss.mean_exponent` is 0 (GMPO) where missing. There is no dual clip.
        rollout_is_weights: [B, T] or None; enters as the geometric mean of a response's token weights.

    Raises:
        ValueError: the advantage varies within a response.
    """
    mask = response_mask.bool()
    advantages_B = one_advantage_per_response(advantages, mask)
    clip_low, clip_high = clip_window(config)
    log_ratio_B = mean_log_ratio(
        log_prob,
        old_log_prob,
        mask,
        advantages_B,
        clip_low=clip_low,
        clip_high=clip_high,
        mean_exponent=float(_option(config, "mean_exponent", 0.0)),
    )
    losses_B = response_losses(log_ratio_B, advantages_B, mask)
    if rollout_is_weights is not None:
        losses_B = losses_B * geometric_mean_weight(rollout_is_weights, mask)
    loss = losses_B.sum() / global_responses(config, mask)
    return loss, _metrics(log_prob.detach(), old_log_prob, mask, advantages_B, clip_low, clip_high)


def one_advantage_per_response(advantages: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """[B, T] -> [B]. Raises ValueError where it varies over a response's tokens: the objective is not defined there."""
    advantages = torch.where(mask, advantages, 0.0)
    advantages_B = torch.where(advantages.amax(-1) > 0, advantages.amax(-1), advantages.amin(-1))
    if not torch.equal(torch.where(mask, advantages_B.unsqueeze(-1), 0.0), advantages):
        raise ValueError(
            "the gmpo loss needs one advantage a response, but it varies within a response: set "
            "algorithm.adv_estimator to an outcome estimator (gmpo, grpo, rloo) instead of a token-level one"
        )
    return advantages_B


def clip_window(config: Any) -> tuple[float, float]:
    """(clip_low, clip_high) in LOG space: the paper's 0.4 where `config` is missing or leaves them null."""
    low = getattr(config, "clip_ratio_low", None)
    high = getattr(config, "clip_ratio_high", None)
    return (PAPER_CLIP if low is None else float(low), PAPER_CLIP if high is None else float(high))


def global_responses(config: Any, mask: torch.Tensor) -> float | torch.Tensor:
    """What to divide a rank's sum of losses by, so that FSDP's average over ranks is the mean over the mini-batch."""
    info = getattr(config, "global_batch_info", None) or {}
    if info.get("global_batch_size") is None:
        return mask.any(-1).sum().clamp(min=1)
    return info["global_batch_size"] / info.get("dp_size", 1)


def geometric_mean_weight(weights: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """One rollout importance weight a response, [B]; a single weight of zero makes the response's weight zero."""
    log_weights = torch.where(mask, weights, 1.0).log()
    return (log_weights.sum(-1) / mask.sum(-1).clamp(min=1)).exp()


def _option(config: Any, name: str, default: float) -> float:
    return getattr(getattr(config, "policy_loss", None), name, default)


def _metrics(
    log_prob: torch.Tensor,
    old_log_prob: torch.Tensor,
    mask: torch.Tensor,
    advantages_B: torch.Tensor,
    clip_low: float,
    clip_high: float,
) -> dict[str, float]:
    """verl's names for a policy loss; fractions are over this micro-batch's response tokens, binding clips only."""
    log_ratio = torch.where(mask, log_prob - old_log_prob, 0.0)
    tokens = mask.sum().clamp(min=1)
    clipped_high = (log_ratio > clip_high) & (advantages_B > 0).unsqueeze(-1)
    clipped_low = (log_ratio < -clip_low) & (advantages_B < 0).unsqueeze(-1)
    return {
        "actor/pg_clipfrac": (clipped_high.sum() / tokens).item(),
        "actor/pg_clipfrac_lower": (clipped_low.sum() / tokens).item(),
        "actor/ppo_kl": (-log_ratio.sum() / tokens).item(),
    }
