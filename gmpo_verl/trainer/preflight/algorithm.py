"""Options of the algorithm around the loss that contradict each other, or that something else makes void."""

from collections.abc import Iterator

from omegaconf import DictConfig

from gmpo_verl.trainer.preflight.batches import needs_reference
from gmpo_verl.trainer.pruning import why_not_exact

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
_KL_LOSS_COEF = 0.001  # verl's default


def check(config: DictConfig) -> Iterator[str]:
    yield from _groups(config)
    yield from _critic(config)
    yield from _kl(config)
    yield from _rollout_correction(config)
    reason = why_not_exact(config) if config.trainer.prune_zero_advantage is True else None
    if reason:
        yield (
            f"trainer.prune_zero_advantage=true would change the update, because of {reason}: "
            "write trainer.prune_zero_advantage=auto."
        )


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
    if needs_reference(config) and config.actor_rollout_ref.model.path is None:
        yield "actor_rollout_ref.model.path is not set although a reference model is asked for: write its folder."


def _rollout_correction(config: DictConfig) -> Iterator[str]:
    key, correction = "algorithm.rollout_correction", config.algorithm.get("rollout_correction") or {}
    used = [name for name in ("rollout_is", "rollout_rs") if correction.get(name) is not None]
    loss_mode, bypass = config.actor_rollout_ref.actor.policy_loss.loss_mode, bool(correction.get("bypass_mode"))
    if (used or bypass) and not config.actor_rollout_ref.rollout.calculate_log_probs:
        option = "bypass_mode=true" if bypass else f"{used[0]}={correction[used[0]]}"
        yield (f"{key}.{option} needs the rollout's log-probabilities: write {_ROLLOUT}.calculate_log_probs=true.")
    if loss_mode == "bypass_mode":
        return
    if bypass:
        for name in used:
            yield (
                f"{key}.{name}={correction[name]} has no effect with {key}.bypass_mode=true, where the ratio is taken "
                f"against the rollout itself: write {key}.{name}=null, or {key}.bypass_mode=false."
            )
    if correction.get("loss_type", "ppo_clip") != "ppo_clip":
        yield (
            f"{key}.loss_type={correction['loss_type']} has no effect with {_ACTOR}.policy_loss.loss_mode={loss_mode}: "
            f"write {key}.loss_type=ppo_clip."
        )
