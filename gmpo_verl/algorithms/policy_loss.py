"""verl's `gmpo` policy loss: the power mean of `power_mean.py`, normalised over the GLOBAL mini-batch."""

from typing import Any

import torch

from gmpo_verl.algorithms.annealing import annealed
from gmpo_verl.algorithms.loss_metrics import binding_clips
from gmpo_verl.algorithms.power_mean import Objective, masked_log_ratio, response_lengths, response_losses

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
        response_mask: [B, T], 1 or True on response tokens. |o| is their number: tokens that rejection sampling
            (`algorithm.rollout_correction.rollout_rs`) takes out of the mask no longer count in it, and a response
            that loses all of them is empty, adds zero, and still counts as a response.
        loss_agg_mode: `seq-mean-token-sum-norm` weights each response by |o| / loss_scale_factor (Dr.GRPO). Any other
            mode is the objective's own mean over responses; preflight asks for its name, `seq-mean-token-mean`.
        config: verl's ActorConfig. The window is `clip_ratio_low`, `clip_ratio_high`, in LOG space; the options of
            the family are those of `GMPOPolicyLossConfig` under `policy_loss`, the paper's where missing. There is no
            dual clip.
        rollout_is_weights: [B, T] or None. A response's loss is multiplied by the geometric mean of its tokens'
            weights: a sequence weight, the same on every token, enters as it is, and one weight of zero makes zero.

    Returns:
        The loss, and verl's metrics `actor/pg_clipfrac` (tokens whose clip binds, on either side) and `actor/ppo_kl`
        over the tokens at hand.

    Raises:
        ValueError: the advantage varies within a response; or an option contradicts another.
    """
    mask = response_mask.bool()
    advantages_B = one_advantage_per_response(advantages, mask)
    objective = objective_of(config)
    log_ratio = masked_log_ratio(log_prob, old_log_prob, mask)
    losses_B = response_losses(log_ratio, mask, advantages_B, objective)
    if loss_agg_mode == "seq-mean-token-sum-norm":
        losses_B = losses_B * (response_lengths(mask) / scale_factor(config))
    if rollout_is_weights is not None:
        losses_B = losses_B * geometric_mean_weight(rollout_is_weights, mask)
    loss = losses_B.sum() / global_responses(config, mask)
    return loss, _metrics(log_ratio.detach(), response_lengths(mask), advantages_B, objective)


def one_advantage_per_response(advantages: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """[B, T] -> [B], zero for an empty response.

    Raises ValueError where it varies over a response's tokens: the objective is not defined there.
    """
    if advantages.shape[-1] == 0:  # a micro-batch of empty responses
        return advantages.sum(-1)
    highest_B = torch.where(mask, advantages, -torch.inf).amax(-1)
    lowest_B = torch.where(mask, advantages, torch.inf).amin(-1)
    # A NaN is no variation: it makes a loss that verl's own check of the gradient skips.
    if (highest_B > lowest_B).any():
        raise ValueError(
            "the gmpo loss needs one advantage a response, but it varies within a response: set "
            "algorithm.adv_estimator to an outcome estimator (gmpo, grpo, rloo) instead of a token-level one"
        )
    return torch.where(mask.any(-1), highest_B, 0.0)


def objective_of(config: Any) -> Objective:
    """The member of the family that verl's ActorConfig asks for; the paper's value where it is silent.

    Raises ValueError where `mean_exponent_end` is set and nobody says which round it is.
    """
    options: Any = getattr(config, "policy_loss", None)
    exponent = float(getattr(options, "mean_exponent", 0.0))
    end = getattr(options, "mean_exponent_end", None)
    if end is not None:
        if options.current_round is None:
            raise ValueError("policy_loss.mean_exponent_end needs the trainer that counts rounds: gmpo")
        exponent = annealed(exponent, float(end), options.mean_exponent_rounds, options.current_round)
    low, high = (getattr(config, f"clip_ratio_{side}", None) for side in ("low", "high"))
    return Objective(
        clip_low=PAPER_CLIP if low is None else float(low),
        clip_high=PAPER_CLIP if high is None else float(high),
        mean_exponent=exponent,
        clip_level=getattr(options, "clip_level", "token"),
        length_norm=getattr(options, "length_norm", True),
    )


def global_responses(config: Any, mask: torch.Tensor) -> float | torch.Tensor:
    """What to divide a rank's sum of losses by, so that FSDP's average over ranks is the mean over the mini-batch."""
    info = getattr(config, "global_batch_info", None) or {}
    if info.get("global_batch_size") is None:
        return mask.any(-1).sum().clamp(min=1)
    return info["global_batch_size"] / info.get("dp_size", 1)


def scale_factor(config: Any) -> float:
    """Dr.GRPO's constant. Raises ValueError where it is missing: verl would take the width of the padded batch."""
    factor = getattr(config, "loss_scale_factor", None)
    if factor is None:
        raise ValueError(
            "loss_agg_mode=seq-mean-token-sum-norm needs actor_rollout_ref.actor.loss_scale_factor: "
            "write the maximum response length"
        )
    return float(factor)


def geometric_mean_weight(weights: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """One rollout importance weight a response, [B]; a single weight of zero makes the response's weight zero."""
    log_weights = torch.where(mask, weights, 1.0).log()
    return (log_weights.sum(-1) / response_lengths(mask).clamp(min=1)).exp()


def _metrics(
    log_ratio: torch.Tensor, length_B: torch.Tensor, advantages_B: torch.Tensor, objective: Objective
) -> dict[str, float]:
    clipped = sum(side_B.sum() for side_B in binding_clips(log_ratio, length_B, advantages_B, objective))
    tokens = length_B.sum().clamp(min=1)
    return {
        "actor/pg_clipfrac": (clipped / tokens).item(),
        "actor/ppo_kl": (-log_ratio.sum() / tokens).item(),
    }
