"""Responses whose group has no advantage leave the passes over the model: they add exactly nothing to the gradient."""

from collections.abc import Sequence
from typing import Any

import numpy as np

# Advantages that depend on the response's own group alone, so that a group can go without changing another.
_GROUP_ESTIMATORS = ("gmpo", "grpo", "grpo_vectorized", "rloo", "rloo_vectorized", "opo", "gpg")
# Losses that are zero where the advantage is, and that divide by the number of responses of the whole mini-batch.
_LOSSES = ("gmpo", "vanilla", "gspo")
_SUMS_OF_RESPONSES = ("seq-mean-token-mean", "seq-mean-token-sum", "seq-mean-token-sum-norm")


def why_not_exact(config: Any, model: Any = None) -> str | None:
    """Why leaving responses out would change the update, as the option that makes it so; None where it would not.

    Args:
        config: of the run.
        model: its Hugging Face configuration, where there is one already.
    """
    actor, algorithm = config.actor_rollout_ref.actor, config.algorithm
    correction = algorithm.get("rollout_correction") or {}
    reasons = {
        "algorithm.use_kl_in_reward": algorithm.use_kl_in_reward,
        "actor_rollout_ref.actor.use_kl_loss": actor.use_kl_loss,
        "actor_rollout_ref.actor.entropy_coeff": actor.entropy_coeff,
        "actor_rollout_ref.actor.use_prefix_grouper": actor.get("use_prefix_grouper"),
        "critic.enable": config.critic.enable or algorithm.adv_estimator == "gae",
        "distillation.enabled": (config.get("distillation") or {}).get("enabled"),
        "algorithm.rollout_correction.rollout_is": correction.get("rollout_is"),
        "algorithm.rollout_correction.rollout_rs": correction.get("rollout_rs"),
        "algorithm.adv_estimator": algorithm.adv_estimator not in _GROUP_ESTIMATORS,
        "actor_rollout_ref.actor.policy_loss.loss_mode": actor.policy_loss.loss_mode not in _LOSSES,
        "actor_rollout_ref.actor.loss_agg_mode": actor.loss_agg_mode not in _SUMS_OF_RESPONSES,
        "the model's dropout": _dropout(model),
        "the model's auxiliary loss": getattr(model, "output_router_logits", False),
    }
    return next((option for option, counts in reasons.items() if counts), None)


def _dropout(model: Any) -> bool:
    options = model.to_dict() if hasattr(model, "to_dict") else {}
    return any(name.endswith(("dropout", "pdrop")) and value for name, value in options.items())


def kept_rows(advantages_B: np.ndarray, groups: Sequence[str], lengths_B: np.ndarray, multiple: int) -> list[int]:
    """The rows that the passes over the model need, in their order.

    Args:
        advantages_B: [B], of the largest absolute value over a response's tokens.
        groups: [B], the prompt of each response; a group leaves as a whole, so that advantages stay what they are.
        lengths_B: [B], tokens.
        multiple: of which the number of rows has to be: optimizer steps x ranks (x rows of a fixed micro-batch). It
            is filled up with the shortest responses that could have left; so there are rows where none has an
            advantage, and the optimizer takes its steps as it would have.
    """
    signal = {group for group, advantage in zip(groups, advantages_B, strict=True) if advantage != 0}
    needed = np.array([group in signal for group in groups])
    size = max(-(-int(needed.sum()) // multiple), 1) * multiple
    leaving = np.flatnonzero(~needed)
    fillers = leaving[np.argsort(lengths_B[leaving], kind="stable")][: size - int(needed.sum())]
    return sorted([*np.flatnonzero(needed).tolist(), *fillers.tolist()])
