"""Which of verl's loops runs, and the options that it would not read."""

from collections.abc import Iterator

from omegaconf import DictConfig

from gmpo_verl.trainer.preflight.batches import is_separate

_ACTOR, _ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
_MODE = "trainer.v1.trainer_mode=separate_async"
_WORKER = "gmpo_verl.worker"


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
    if not config.actor_rollout_ref.hybrid_engine:
        # Meant for separate_async alone, whose set-up then calls logger.info(..., flush=True): a TypeError.
        yield "actor_rollout_ref.hybrid_engine=false ends verl 0.9.1: write actor_rollout_ref.hybrid_engine=true."
    if is_separate(config):
        yield from _separate_async(config)


def _separate_async(config: DictConfig) -> Iterator[str]:
    sync, rollout = config.trainer.v1.separate_async.parameter_sync_step, config.actor_rollout_ref.rollout
    mini, train = config.actor_rollout_ref.actor.ppo_mini_batch_size, config.data.train_batch_size
    if train != sync * mini:
        step = "trainer.v1.separate_async.parameter_sync_step"
        remedy = f"write data.train_batch_size={sync * mini}"
        if train % mini == 0:
            remedy += f", or {step}={train // mini}"
        yield (
            f"data.train_batch_size={train} has to be {step}={sync} times {_ACTOR}.ppo_mini_batch_size={mini}: "
            f"{remedy}."
        )
    if rollout.nnodes < 1:
        yield f"{_ROLLOUT}.nnodes={rollout.nnodes} leaves {_MODE} no node for its rollouts: write {_ROLLOUT}.nnodes=1."
    engine, on_cpu = rollout.checkpoint_engine, config.trainer.device == "cpu"
    if engine.backend == "naive" or (engine.backend == "zmq") != on_cpu:
        yield (
            f"{_ROLLOUT}.checkpoint_engine.backend={engine.backend} cannot take weights to the rollouts of {_MODE}: "
            f"write {_ROLLOUT}.checkpoint_engine.backend={'zmq' if on_cpu else 'nccl'}."
        )
    if engine.custom_backend_module is None:
        yield (
            f"{_ROLLOUT}.checkpoint_engine.custom_backend_module=null leaves the rollout workers of {_MODE} waiting "
            f"for weights for ever: write {_ROLLOUT}.checkpoint_engine.custom_backend_module={_WORKER}, or a module "
            "that imports it."
        )
