"""Folders that look like the checkpoints that verl's ranks save."""

import json
from pathlib import Path

import torch

KINDS = ("model", "optim", "extra_state")


def write_checkpoint(checkpoints: Path, step: int, ranks: int = 2) -> Path:
    """As verl leaves it: all files, its own note of the step, and no marker."""
    folder = checkpoints / f"global_step_{step}"
    (folder / "actor" / "huggingface").mkdir(parents=True)
    (folder / "actor" / "huggingface" / "config.json").write_text("{}")
    (folder / "actor" / "fsdp_config.json").write_text(json.dumps({"world_size": ranks}))
    for kind in KINDS:
        for rank in range(ranks):
            torch.save(torch.full((4,), float(step)), folder / "actor" / f"{kind}_world_size_{ranks}_rank_{rank}.pt")
    torch.save({"yielded": step}, folder / "data.pt")
    (checkpoints / "latest_checkpointed_iteration.txt").write_text(str(step))
    return folder


def write_rows(metrics: Path, accuracies: dict[int, float | None]) -> None:
    """A metrics.jsonl with these steps, validated where there is an accuracy."""
    rows = [
        {"step": step, "data": {} if accuracy is None else {"val-core/x/acc/mean@1": accuracy}}
        for step, accuracy in accuracies.items()
    ]
    metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
