"""Loads a checkpoint that any number of ranks saved, and nothing from it but tensors and plain values.

verl 0.9.1's FSDPCheckpointManager opens the file of its own rank in a run of its own size
(utils/checkpoint/fsdp_checkpoint_manager.py:178), so a run cannot go on with more or fewer GPUs, and opens it with
`weights_only=False`, by which whoever can write into the folder can run code. Here the files are read with
`weights_only=True`, and where another number of ranks wrote them, each rank puts its part together from theirs.

FSDP2 alone: of FSDP1 the shards of another number of ranks are refused, which preflight says before.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.distributed.tensor import DTensor, Shard, distribute_tensor
from verl.utils.checkpoint.fsdp_checkpoint_manager import FSDPCheckpointManager
from verl.workers.engine.fsdp import transformer_impl

_FILE = re.compile(r"(?P<kind>model|optim|extra_state)_world_size_(?P<ranks>\d+)_rank_(?P<rank>\d+)\.pt")
# What numpy's random state is made of, in the file `extra_state`.
_NUMPY_STATE: tuple[Any, ...] = (np.empty(0).__reduce__()[0], np.ndarray, np.dtype, type(np.dtype(np.uint32)))
_load = torch.load


class CheckpointManager(FSDPCheckpointManager):
    """verl's, reading through `load_safely` and `for_this_rank`."""

    def load_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        with _reading_with(partial(_read, self)):
            super().load_checkpoint(*args, **kwargs)


def install() -> None:
    """Once a process, from `gmpo_verl.worker`; verl's FSDP engine finds the class by its module's name for it."""
    module: Any = transformer_impl
    module.FSDPCheckpointManager = CheckpointManager


def load_safely(file: Path, mmap: bool = False) -> Any:
    """A file of a checkpoint: tensors, numbers, texts and containers of them. Raises UnpicklingError for all else."""
    with torch.serialization.safe_globals([*_NUMPY_STATE]):
        return _load(file, weights_only=True, map_location="cpu" if mmap else None, mmap=mmap)


def for_this_rank(parts: Sequence[torch.Tensor], like: torch.Tensor) -> torch.Tensor:
    """A tensor of which each of the earlier ranks saved a part, as `like` is distributed over the present ones.

    Args:
        parts: by the earlier rank; plain tensors are the same on all.
        like: of the model as it is now.
    """
    whole = _whole(parts)
    if not isinstance(like, DTensor):
        return whole
    return distribute_tensor(whole, like.device_mesh, like.placements, src_data_rank=None)


@contextmanager
def _reading_with(read: Any) -> Iterator[None]:
    module: Any = torch
    module.load = read
    try:
        yield
    finally:
        module.load = _load


def _read(manager: CheckpointManager, file: str, **_: Any) -> Any:
    """In place of torch.load: the file that verl names, or what this rank needs of those that are there instead."""
    path = Path(file)
    match = _FILE.fullmatch(path.name)
    if match is None or path.is_file():
        return load_safely(path)
    kind, rank = match["kind"], int(match["rank"])
    ranks = int(json.loads((path.parent / "fsdp_config.json").read_text(encoding="utf-8"))["world_size"])
    files = [path.with_name(f"{kind}_world_size_{ranks}_rank_{other}.pt") for other in range(ranks)]
    if kind == "extra_state":  # the learning rate's schedule, which all have in common, and a random state
        return load_safely(files[rank % ranks])
    shards = [load_safely(other, mmap=True) for other in files]
    if kind == "model":
        now = manager.model.state_dict()
        return {name: for_this_rank([shard[name] for shard in shards], now[name]) for name in shards[0]}
    return _optimizer(shards, [parameter for group in manager.optimizer.param_groups for parameter in group["params"]])


def _optimizer(shards: Sequence[dict[str, Any]], parameters: Sequence[torch.Tensor]) -> dict[str, Any]:
    """torch's state of an optimizer, `parameters` in its order; a moment is distributed as its parameter is."""
    state = {
        index: {
            name: for_this_rank([shard["state"][index][name] for shard in shards], parameters[index])
            if isinstance(value, DTensor)
            else value
            for name, value in values.items()
        }
        for index, values in shards[0]["state"].items()
    }
    return {"state": state, "param_groups": shards[0]["param_groups"]}


def _whole(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    first = parts[0]
    if type(first) is torch.Tensor:
        return first
    if not isinstance(first, DTensor):
        raise TypeError(f"shards of type {type(first).__name__}, which only the number of ranks that saved them loads")
    *replicated, last = first.placements
    if not isinstance(last, Shard) or not all(placement.is_replicate() for placement in replicated):
        raise TypeError(f"shards with placements {first.placements}, which only the same number of ranks loads")
    # Over a mesh of replicas of shards, the first replica's ranks come first.
    one_replica = [part.to_local() for part in parts[: first.device_mesh.size(-1)] if isinstance(part, DTensor)]
    return torch.cat(one_replica, dim=last.dim)
