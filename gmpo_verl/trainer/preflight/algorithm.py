"""Options of the objective that contradict each other, or that something else makes void."""

from collections.abc import Iterator

from omegaconf import DictConfig

from gmpo_verl.trainer.preflight.batches import needs_reference
from gmpo_verl.trainer.preflight.names import LOSS_AGG_MODES

_ACTOR, _ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
_GROUP_ESTIMATORS = (
    "gmpo",
    "grpo",
    "grpo_vectorized",
    "grpo_passk",
    "gdpo",
    "gpg",
    "opo",
    "rloo",
    "rloo_vectorized",
    "reinforce_plus_plus_baseline",
)
# Their advantages vary over a response's tokens, for which the objective is not defined.
_TOKEN_ESTIMATORS = ("gae", "optimal_token_baseline", "tir_optimal_token_baseline")
# verl's defaults of options that the gmpo loss does not read.
_CLIP_RATIO_C, _KL_LOSS_COEF = 3.0, 0.001
_PAPER_CLIP = 0.4


def check(config: DictConfig) -> Iterator[str]:
    yield from _groups(config)
    yield from _critic(config)
    if config.actor_rollout_ref.actor.policy_loss.loss_mode == "gmpo":
        yield from _gmpo_loss(config)
    else:
        yield from _other_loss(config)
    yield from _kl(config)


def _groups(config: DictConfig) -> Iterator[str]:
    estimator, n = config.algorithm.adv_estimator, config.actor_rollout_ref.rollout.n
    if estimator in _GROUP_ESTIMATORS and n < 2:
        yield (
            f"{_ROLLOUT}.n={n} leaves algorithm.adv_estimator={estimator} no group to compare in: write {_ROLLOUT}.n=8."
        )


def _critic(config: DictConfig) -> Iterator[str]:
    estimator, enabled = config.algorithm.adv_estimator, config.critic.enable
    if estimator == "gae" and enabled is False:
        yield "algorithm.adv_estimator=gae needs a critic: write critic.enable=null, or algorithm.adv_estimator=gmpo."
    if estimator != "gae" and enabled:
        yield (
            f"critic.enable=true trains a critic that algorithm.adv_estimator={estimator} does not read: "
            "write critic.enable=null."
        )
    if estimator != "gae" and config.trainer.critic_warmup:
        yield (
            f"trainer.critic_warmup={config.trainer.critic_warmup} holds the policy back for a critic that "
            "there is not: "
            "write trainer.critic_warmup=0."
        )


def _gmpo_loss(config: DictConfig) -> Iterator[str]:
    actor, estimator = config.actor_rollout_ref.actor, config.algorithm.adv_estimator
    if estimator in _TOKEN_ESTIMATORS:
        yield (
            f"algorithm.adv_estimator={estimator} varies within a response, which the gmpo loss is not defined for: "
            "write algorithm.adv_estimator=gmpo."
        )
    if actor.loss_agg_mode != "seq-mean-token-mean" and actor.loss_agg_mode in LOSS_AGG_MODES:
        yield (
            f"{_ACTOR}.loss_agg_mode={actor.loss_agg_mode} contradicts the gmpo loss, which has its own mean: "
            f"write {_ACTOR}.loss_agg_mode=seq-mean-token-mean."
        )
    if actor.loss_scale_factor is not None:
        yield (
            f"{_ACTOR}.loss_scale_factor={actor.loss_scale_factor} has no effect on the gmpo loss: "
            f"write {_ACTOR}.loss_scale_factor=null."
        )
    if actor.clip_ratio_c != _CLIP_RATIO_C:
        yield (
            f"{_ACTOR}.clip_ratio_c={actor.clip_ratio_c} has no effect, the gmpo loss has no dual clip: "
            f"write {_ACTOR}.clip_ratio_c={_CLIP_RATIO_C}."
        )
    for name in ("clip_ratio_low", "clip_ratio_high"):
        if actor[name] is not None and actor[name] < 0:
            yield (
                f"{_ACTOR}.{name}={actor[name]} is negative: "
                "write a bound in LOG space of at least 0, as the paper's 0.4."
            )
    if actor.clip_ratio not in (_PAPER_CLIP, actor.clip_ratio_low, actor.clip_ratio_high):
        yield (
            f"{_ACTOR}.clip_ratio={actor.clip_ratio} has no effect on the gmpo loss: "
            f"write {_ACTOR}.clip_ratio_low and {_ACTOR}.clip_ratio_high, in LOG space."
        )


def _other_loss(config: DictConfig) -> Iterator[str]:
    loss = config.actor_rollout_ref.actor.policy_loss
    if loss.get("mean_exponent", 0.0) != 0.0:
        key = f"{_ACTOR}.policy_loss"
        yield (
            f"{key}.mean_exponent={loss.mean_exponent} has no effect with {key}.loss_mode={loss.loss_mode}: "
            f"write {key}.loss_mode=gmpo, or algorithm=gmpo with this loss_mode."
        )
    if loss.loss_mode == "dro" and not (loss.dro_beta and loss.dro_beta > 0):
        yield (
            f"{_ACTOR}.policy_loss.loss_mode=dro needs a penalty: "
            f"write {_ACTOR}.policy_loss.dro_beta=0.1 or another above 0."
        )


def _kl(config: DictConfig) -> Iterator[str]:
    actor = config.actor_rollout_ref.actor
    if config.algorithm.use_kl_in_reward and actor.use_kl_loss:
        yield (
            f"algorithm.use_kl_in_reward=true and {_ACTOR}.use_kl_loss=true count the KL twice: "
            "write false for one of them."
        )
    if not actor.use_kl_loss and actor.kl_loss_coef != _KL_LOSS_COEF:
        yield (
            f"{_ACTOR}.kl_loss_coef={actor.kl_loss_coef} has no effect by itself: write {_ACTOR}.use_kl_loss=true too."
        )
    if actor.kl_loss_coef < 0:
        yield f"{_ACTOR}.kl_loss_coef={actor.kl_loss_coef} would reward distance: write a value of at least 0."
    control = config.algorithm.kl_ctrl
    if config.algorithm.use_kl_in_reward and control.type == "adaptive" and control.horizon <= 0:
        yield f"algorithm.kl_ctrl.horizon={control.horizon} is not possible: write a value above 0."
    correction = config.algorithm.get("rollout_correction") or {}
    if correction.get("bypass_mode") and not config.actor_rollout_ref.rollout.calculate_log_probs:
        yield (
            "algorithm.rollout_correction.bypass_mode=true needs the rollout's log-probabilities: "
            f"write {_ROLLOUT}.calculate_log_probs=true."
        )
    if needs_reference(config) and config.actor_rollout_ref.model.path is None:
        yield "actor_rollout_ref.model.path is not set although a reference model is asked for: write its folder."
