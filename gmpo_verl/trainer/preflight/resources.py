"""Memory and disk of this machine against what a run on CPU takes."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
from omegaconf import DictConfig

from gmpo_verl.trainer.forked_workers import are_forked
from gmpo_verl.trainer.preflight.batches import rollout_gpus, world_size
from gmpo_verl.trainer.ray_cluster import names_a_cluster

# Bytes for the first worker and each one more. The embedded job was measured to take 7 and 2.6 GB, and 3.6 and 1.4 GB
# with forks, which share what they have imported. What is free now is held against less than that, for some of it is
# given back by the system: below, a run has no chance.
_WORKERS, _FORKED_WORKERS = (5e9, 2e9), (3e9, 1e9)
_DISK = 1e9  # bytes, for Ray's session, logs and checkpoints
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def check(config: DictConfig) -> Iterator[str]:
    if config.trainer.device != "cpu":
        return
    # Of a cluster's nodes this one alone can be looked at.
    workers = config.trainer.n_gpus_per_node if names_a_cluster(config) else world_size(config) + rollout_gpus(config)
    first, each_more = _FORKED_WORKERS if are_forked(config) else _WORKERS
    needed, free = first + (workers - 1) * each_more, free_memory()
    if free < needed:
        remedy = "write trainer.n_gpus_per_node=1, or free some" if workers > 1 else "end other programs"
        yield (
            f"hardware=cpu with {workers} workers takes {needed / 1e9:.0f} GB of memory "
            f"and {free / 1e9:.1f} GB is free: {remedy}."
        )
    for option, folder in (("run_dir", Path(str(config.run_dir))), ("TMPDIR", Path(tempfile.gettempdir()))):
        free = free_disk(folder)
        if free < _DISK:
            yield (
                f"{option}={folder} has {free / 1e9:.1f} GB free and a run takes {_DISK / 1e9:.0f} GB: "
                f"free some, or set {option} to a folder on another disk."
            )


def free_memory() -> float:
    """Bytes that this process and its children can still take, a container's limit included."""
    free = float(psutil.virtual_memory().available)
    try:
        return min(free, float(_CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):  # no such control group, or "max"
        return free


def free_disk(folder: Path) -> float:
    """Bytes free where a folder stands or would be made."""
    folder = folder.expanduser().absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return float(shutil.disk_usage(folder).free)
