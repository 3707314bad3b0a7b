"""Options of the policy loss that contradict each other, or that the chosen loss would not honour."""

from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig

from gmpo_verl.trainer.preflight.names import LOSS_AGG_MODES

_ACTOR = "actor_rollout_ref.actor"
_LOSS = f"{_ACTOR}.policy_loss"
# Their advantages vary over a response's tokens, for which the objective is not defined.
_TOKEN_ESTIMATORS = ("gae", "optimal_token_baseline", "tir_optimal_token_baseline")
_CLIP_RATIO_C = 3.0  # verl's default of an option that the gmpo loss does not read
_PAPER_CLIP = 0.4
_OWN_MEAN, _DR_GRPO_SUM = "seq-mean-token-mean", "seq-mean-token-sum-norm"
# The family's options, with the value that is as if they were not there.
_FAMILY = {"mean_exponent": 0.0, "mean_exponent_end": None, "clip_level": "token", "length_norm": True}


def check(config: DictConfig) -> Iterator[str]:
    if config.actor_rollout_ref.actor.policy_loss.loss_mode != "gmpo":
        yield from _other_loss(config)
        return
    estimator = config.algorithm.adv_estimator
    if estimator in _TOKEN_ESTIMATORS:
        yield (
            f"algorithm.adv_estimator={estimator} varies within a response, which the gmpo loss is not defined for: "
            "write algorithm.adv_estimator=gmpo."
        )
    actor = config.actor_rollout_ref.actor
    yield from _aggregation(actor)
    yield from _clip(actor)


def _aggregation(actor: Any) -> Iterator[str]:
    mode, factor = actor.loss_agg_mode, actor.loss_scale_factor
    loss = actor.policy_loss
    arithmetic = loss.get("mean_exponent", 0.0) == 1 and loss.get("mean_exponent_end") is None
    if mode == _DR_GRPO_SUM and arithmetic:
        if not isinstance(factor, int | float) or factor <= 0:
            yield (
                f"{_ACTOR}.loss_scale_factor={factor} leaves the sum over tokens without its constant length: "
                f"write {_ACTOR}.loss_scale_factor=\${{data.max_response_length}}."
            )
        return
    if mode == _DR_GRPO_SUM:
        yield (
            f"{_ACTOR}.loss_agg_mode={mode} is Dr.GRPO's sum over tokens, which is defined for {_LOSS}.mean_exponent=1 "
            f"alone: write {_ACTOR}.loss_agg_mode={_OWN_MEAN}, or algorithm=dr_grpo."
        )
    elif mode != _OWN_MEAN and mode in LOSS_AGG_MODES:
        yield (
            f"{_ACTOR}.loss_agg_mode={mode} contradicts the gmpo loss, which has its own mean: "
            f"write {_ACTOR}.loss_agg_mode={_OWN_MEAN}."
        )
    if factor is not None:
        yield (
            f"{_ACTOR}.loss_scale_factor={factor} has no effect on the gmpo loss: "
            f"write {_ACTOR}.loss_scale_factor=null."
        )


def _clip(actor: Any) -> Iterator[str]:
    if actor.clip_ratio_c != _CLIP_RATIO_C:
        yield (
            f"{_ACTOR}.clip_ratio_c={actor.clip_ratio_c} has no effect, the gmpo loss has no dual clip: "
            f"write {_ACTOR}.clip_ratio_c={_CLIP_RATIO_C}."
        )
    for name in ("clip_ratio_low", "clip_ratio_high"):
        if actor[name] is None:
            continue
        if actor[name] < 0:
            yield (
                f"{_ACTOR}.{name}={actor[name]} is negative: "
                "write a bound in LOG space of at least 0, as the paper's 0.4."
            )
        if actor.policy_loss.get("clip_level") == "none":
            yield (
                f"{_ACTOR}.{name}={actor[name]} has no effect with {_LOSS}.clip_level=none: "
                f"write {_ACTOR}.{name}=null, or {_LOSS}.clip_level=token."
            )
    if actor.clip_ratio not in (_PAPER_CLIP, actor.clip_ratio_low, actor.clip_ratio_high):
        yield (
            f"{_ACTOR}.clip_ratio={actor.clip_ratio} has no effect on the gmpo loss: "
            f"write {_ACTOR}.clip_ratio_low and {_ACTOR}.clip_ratio_high, in LOG space."
        )


def _other_loss(config: DictConfig) -> Iterator[str]:
    loss = config.actor_rollout_ref.actor.policy_loss
    for name, neutral in _FAMILY.items():
        if loss.get(name, neutral) != neutral:
            yield (
                f"{_LOSS}.{name}={loss[name]} has no effect with {_LOSS}.loss_mode={loss.loss_mode}: "
                f"write {_LOSS}.loss_mode=gmpo, or algorithm=gmpo with this loss_mode."
            )
    if loss.loss_mode == "dro" and not (loss.dro_beta and loss.dro_beta > 0):
        yield f"{_LOSS}.loss_mode=dro needs a penalty: write {_LOSS}.dro_beta=0.1 or another above 0."
