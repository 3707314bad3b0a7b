"""Checkpoints without a marker that are whole all the same.

A run that was killed between a step's row and its marker leaves one, and so do runs of earlier versions, which wrote
no markers. verl names a checkpoint in `latest_checkpointed_iteration.txt` once all ranks have saved it, and the step's
row comes later still.
"""

import json
import zipfile
from pathlib import Path

from gmpo_verl.trainer.checkpoints.markers import step_of
from gmpo_verl.trainer.run_metrics import metrics_rows


def is_proven(folder: Path, metrics: Path) -> bool:
    """Whether the save had ended and its step's row was written, and no file was cut off since (by a power loss).

    Args:
        metrics: the run's metrics.jsonl.
    """
    step = step_of(folder)
    try:
        latest = int((folder.parent / "latest_checkpointed_iteration.txt").read_text(encoding="utf-8"))
        ranks = int(json.loads((folder / "actor" / "fsdp_config.json").read_text(encoding="utf-8"))["world_size"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    shards = [folder / "actor" / f"model_world_size_{ranks}_rank_{rank}.pt" for rank in range(ranks)]
    return (
        step is not None
        and step <= latest
        and (folder / "data.pt").is_file()
        and all(shard.is_file() for shard in shards)
        # torch writes a zip archive, whose list of contents stands at its end.
        and all(zipfile.is_zipfile(file) for file in folder.rglob("*.pt"))
        and any(row["step"] == step for row in metrics_rows(metrics))
    )
