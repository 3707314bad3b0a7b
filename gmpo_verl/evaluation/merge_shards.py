"""A process that merges the FSDP shards of one checkpoint: `PARENT_PID ACTOR_FOLDER TARGET_FOLDER DTYPE`.

verl's merger casts every weight to bfloat16. A float32 run, as on a CPU, samples and validates with float32 weights,
and its greedy answers differ where two tokens are nearly as likely: so the weights keep the type that is asked for.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch.distributed.tensor import DTensor
from verl.model_merger.base_model_merger import ModelMergerConfig
from verl.model_merger.fsdp_model_merger import FSDPModelMerger, merge_non_dtensor_shards

from gmpo_verl.supervisor.prctl import tied_to


class TypedFSDPModelMerger(FSDPModelMerger):
    """verl's merger, which leaves the weights in `dtype`."""

    def __init__(self, config: ModelMergerConfig, dtype: torch.dtype) -> None:
        super().__init__(config)
        self.dtype = dtype
        # Of the run's own making, perhaps: it is unknown here, and means nothing to whoever loads the model.
        self.model_config._attn_implementation = "eager"

    def _load_and_merge_state_dicts(
        self, world_size: int, total_shards: int, mesh_shape: tuple[int, ...], mesh_dim_names: tuple[str, ...]
    ) -> dict[str, torch.Tensor]:
        if len(mesh_shape) != 1:
            raise NotImplementedError(f"a checkpoint over a mesh of {len(mesh_shape)} dimensions")
        shards: list[dict[str, Any]] = []
        for rank in range(total_shards):
            file = f"{self.config.local_dir}/model_world_size_{world_size}_rank_{rank}.pt"
            shards.append(torch.load(file, map_location="cpu", weights_only=True, mmap=True))
        return {
            name: self._merged(name, [shard.pop(name) for shard in shards], mesh_dim_names) for name in [*shards[0]]
        }

    def _merged(self, name: str, parts: list[torch.Tensor], mesh_dim_names: tuple[str, ...]) -> torch.Tensor:
        if not isinstance(parts[0], DTensor):
            return self._typed(merge_non_dtensor_shards(name, parts))
        # Over a mesh of replicas of shards the last dimension is the sharded one; verl saves one replica.
        placement = parts[0].placements[-1]
        local = [self._typed(part.to_local()) for part in parts if isinstance(part, DTensor)]
        return self._merge_by_placement(local, placement)

    def _typed(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self.dtype) if tensor.is_floating_point() else tensor


def merge(actor: Path, target: Path, dtype: str) -> None:
    """Write the Hugging Face model of the shards in `actor`, its configuration naming `dtype` too."""
    target.mkdir(parents=True)
    config = ModelMergerConfig(
        operation="merge",
        backend="fsdp",
        local_dir=str(actor),
        target_dir=str(target),
        hf_model_config_path=str(actor / "huggingface"),
    )
    TypedFSDPModelMerger(config, getattr(torch, dtype)).merge_and_save()
    _tidy_config(target / "config.json", dtype)


def _tidy_config(file: Path, dtype: str) -> None:
    config = json.loads(file.read_text(encoding="utf-8"))
    for name in ("attn_implementation", "_attn_implementation"):
        config.pop(name, None)
    for settings in (config, *(value for value in config.values() if isinstance(value, dict))):
        if settings is config or "dtype" in settings or "torch_dtype" in settings:
            settings.pop("torch_dtype", None)
            settings["dtype"] = dtype
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if not tied_to(int(sys.argv[1])):
        sys.exit(1)
    merge(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
