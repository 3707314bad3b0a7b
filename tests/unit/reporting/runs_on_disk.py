"""Runs written to disk, and runs made of nothing but metrics."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from gmpo_verl.reporting.run import Run, Series

CONFIG: dict[str, Any] = {
    "seed": 0,
    "run_dir": "RUN",
    "actor_rollout_ref": {
        "actor": {
            "policy_loss": {"loss_mode": "gmpo", "mean_exponent": 0.0, "clip_level": "token", "length_norm": True},
            "clip_ratio_low": 0.4,
            "clip_ratio_high": 0.4,
        },
        "model": {"path": "some/model"},
    },
    "data": {"max_response_length": 8},
    "trainer": {"total_training_steps": 20, "experiment_name": "a-seed0"},
}


def run_of(name: str = "run", config: dict[str, Any] | None = None, **values: Iterable[float]) -> Run:
    """A run with these metrics at steps 1, 2, ...; `__` in a name stands for a slash."""
    run = Run(Path(name), Path(name) / "metrics.jsonl", name=name, config=config or {})
    for key, column in values.items():
        numbers = tuple(column)
        run.metrics[key.replace("__", "/")] = Series(tuple(range(1, len(numbers) + 1)), numbers)
        run.steps = tuple(range(1, len(numbers) + 1))
    return run


def write_run(folder: Path, rows: Iterable[Mapping[str, Any]], config: dict[str, Any] | None = CONFIG) -> Path:
    """A run's directory with these metrics, the first of them at step 1."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"step": step, "data": dict(data)}) for step, data in enumerate(rows, start=1)]
    (folder / "metrics.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    if config is not None:
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


def write_dump(folder: Path, kind: str, step: int, rows: Iterable[Mapping[str, Any]]) -> None:
    path = folder / kind / f"{step}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
