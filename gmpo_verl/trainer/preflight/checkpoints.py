"""What is saved, how much of it is kept, whether the disk has room for it, and whether what is there can be loaded."""

import json
from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig

from gmpo_verl.errors import UserError
from gmpo_verl.trainer.checkpoints.disk_room import shortage
from gmpo_verl.trainer.checkpoints.markers import folder_of
from gmpo_verl.trainer.preflight.batches import world_size
from gmpo_verl.trainer.preflight.memory_estimate import checkpoint_bytes
from gmpo_verl.trainer.preflight.model_shape import model_shape
from gmpo_verl.trainer.run_dir import inspect_run_dir

_KEEP = "trainer.keep_checkpoints"
_RESHARDED = "fsdp2"  # the strategy whose shards patches/checkpoint_loading.py can cut anew


def check(config: DictConfig) -> Iterator[str]:
    trainer, saved = config.trainer, config.actor_rollout_ref.actor.checkpoint
    for name in ("max_actor_ckpt_to_keep", "max_critic_ckpt_to_keep", "remove_previous_ckpt_in_save"):
        value = trainer.get(name)
        if value is not None and value is not False:
            count = value if isinstance(value, int) and value > 1 else 1
            yield (
                f"trainer.{name}={str(value).lower()} forgets at a resume what was saved before: leave it out and "
                f"write {_KEEP}={count}."
            )
    if trainer.default_hdfs_dir is not None and config.get("model_engine", "dp") == "dp":
        yield (
            f"trainer.default_hdfs_dir={trainer.default_hdfs_dir} is not read by verl's FSDP engine: "
            f"write trainer.default_hdfs_dir=null, and trainer.default_local_dir={trainer.default_hdfs_dir} where that "
            "is mounted."
        )
    if saved.get("async_save"):
        yield (
            "actor_rollout_ref.actor.checkpoint.async_save=true leaves it open when a checkpoint is complete: "
            "write actor_rollout_ref.actor.checkpoint.async_save=false."
        )
    if trainer.save_freq > 0 and not config.dry_run:
        yield from _room(config)
    yield from _ranks(config)


def expected_bytes(config: DictConfig) -> float | None:
    """Bytes of one checkpoint by the model's size; None where that is not known."""
    shape = model_shape(config)
    return None if shape is None else checkpoint_bytes(config, shape)


def _room(config: DictConfig) -> Iterator[str]:
    size = expected_bytes(config)
    if size is None or not config.trainer.default_local_dir:
        return
    if lacking := shortage(Path(config.trainer.default_local_dir).expanduser(), size):
        yield f"{lacking}: free some, or write trainer.default_local_dir=DIR on another disk."


def _ranks(config: DictConfig) -> Iterator[str]:
    strategy, ranks = config.actor_rollout_ref.actor.strategy, world_size(config)
    if strategy == _RESHARDED:
        return
    try:
        run = inspect_run_dir(config)
        actor = folder_of(run.checkpoints, run.resumed_step) / "actor"
        before = int(json.loads((actor / "fsdp_config.json").read_text(encoding="utf-8"))["world_size"])
    except (UserError, OSError, ValueError, KeyError, TypeError):
        return
    if before != ranks:
        yield (
            f"{actor.parent} was saved by {before} ranks, which actor_rollout_ref.actor.strategy={strategy} cannot "
            f"load with {ranks}: write trainer.nnodes and trainer.n_gpus_per_node for {before} GPUs."
        )
