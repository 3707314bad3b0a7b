"""Memory and disk of this machine against what a run on CPU takes."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
from omegaconf import DictConfig

from gmpo_verl.trainer.preflight.batches import rollout_gpus, world_size

# The embedded job was measured to take 7 GB with one worker and 2.6 GB for each one more. What is free now is held
# against less than that, for some of it is shared or given back by the system: below, a run has no chance.
_FIRST_WORKER, _NEXT_WORKER = 5e9, 2e9  # bytes
_DISK = 1e9  # bytes, for Ray's session, logs and checkpoints
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def check(config: DictConfig) -> Iterator[str]:
    if config.trainer.device != "cpu":
        return
    workers = world_size(config) + rollout_gpus(config)
    needed, free = _FIRST_WORKER + (workers - 1) * _NEXT_WORKER, free_memory()
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
