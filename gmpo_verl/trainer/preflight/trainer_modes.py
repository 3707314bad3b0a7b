"""Which of verl's loops runs, and the options that it would not read."""

from collections.abc import Iterator

from omegaconf import DictConfig

_ACTOR, _ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"


def check(config: DictConfig) -> Iterator[str]:
    sampler = config.trainer.v1.sampler
    for key, used in (
        ("algorithm.filter_groups.enable", config.algorithm.filter_groups.enable),
        ("trainer.v1.sampler.sync_refill_failed_groups", sampler.sync_refill_failed_groups),
    ):
        if used and sampler.custom_sampler.path:
            yield (
                f"{key}=true has no effect with a custom sampler: write {key}=false, "
                "or trainer.v1.sampler.custom_sampler.path=null."
            )
    if not config.trainer.use_v1:
        yield (
            "trainer.use_v1=false chooses verl's old trainer, which knows nothing of this package: "
            "write trainer.use_v1=true."
        )
    if not config.actor_rollout_ref.hybrid_engine and config.trainer.v1.trainer_mode != "separate_async":
        yield (
            "actor_rollout_ref.hybrid_engine=false needs trainer.v1.trainer_mode=separate_async: "
            "write actor_rollout_ref.hybrid_engine=true."
        )
    if config.trainer.v1.trainer_mode == "separate_async":
        yield from _separate_async(config)


def _separate_async(config: DictConfig) -> Iterator[str]:
    sync, rollout = config.trainer.v1.separate_async.parameter_sync_step, config.actor_rollout_ref.rollout
    mini, train = config.actor_rollout_ref.actor.ppo_mini_batch_size, config.data.train_batch_size
    if train != sync * mini:
        yield (
            f"data.train_batch_size={train} has to be trainer.v1.separate_async.parameter_sync_step={sync} times "
            f"{_ACTOR}.ppo_mini_batch_size={mini}: write data.train_batch_size={sync * mini}."
        )
    if rollout.nnodes < 1:
        yield (
            f"{_ROLLOUT}.nnodes={rollout.nnodes} leaves trainer.v1.trainer_mode=separate_async no node: "
            f"write {_ROLLOUT}.nnodes=1."
        )
    if rollout.checkpoint_engine.backend == "naive":
        yield (
            f"{_ROLLOUT}.checkpoint_engine.backend=naive cannot serve trainer.v1.trainer_mode=separate_async: "
            f"write {_ROLLOUT}.checkpoint_engine.backend=nccl."
        )
