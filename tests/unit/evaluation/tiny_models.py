"""Model folders without a model: files of the right names, for code that only looks at them."""

import json
from pathlib import Path

import yaml

from gmpo_verl.data.arithmetic.tokenizer import make_tokenizer
from gmpo_verl.trainer.checkpoints.markers import mark_complete


def model_folder(folder: Path, context: int = 64, weights: bytes = b"weights", **config) -> Path:
    """A folder that looks like a model with the embedded task's tokenizer."""
    folder.mkdir(parents=True)
    settings = {"max_position_embeddings": context, "dtype": "float32", "model_type": "qwen2"} | config
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "model.safetensors").write_bytes(weights)
    make_tokenizer().save_pretrained(folder)
    return folder


def run_folder(
    folder: Path, steps=(1, 2), complete: int | None = None, rollout_dtype: str = "float32", ranks: int = 1
) -> Path:
    """A run directory whose checkpoints have the names of verl's files; those after `complete` have no marker."""
    config = {
        "run_dir": str(folder),
        "trainer": {"default_local_dir": str(folder / "checkpoints")},
        "data": {"train_files": "embedded://arithmetic/train"},
        "actor_rollout_ref": {
            "model": {"path": "Qwen/Qwen2.5-Math-7B"},
            "rollout": {"dtype": rollout_dtype},
        },
    }
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    for step in steps:
        actor = folder / "checkpoints" / f"global_step_{step}" / "actor"
        (actor / "huggingface").mkdir(parents=True)
        (actor / "huggingface" / "config.json").write_text("{}")
        (actor / "fsdp_config.json").write_text(json.dumps({"world_size": ranks}))
        for rank in range(ranks):
            (actor / f"model_world_size_{ranks}_rank_{rank}.pt").write_bytes(b"shard")
        if complete is None or step <= complete:
            mark_complete(actor.parent)
    return folder
