"""A run's `metrics.jsonl`: verl's `{"step": n, "data": {...}}`, one line a step. Standard library only."""

import json
import os
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gmpo_verl.files import write_atomically


def metrics_rows(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The rows of a metrics file in order; none where the file does not exist.

    A line that is no JSON object is passed over: a writer that was killed leaves its last line cut off, and
    after a resume that line stands in the middle.
    """
    path = Path(path)
    if not path.is_file():
        return
    with path.open("rb") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and isinstance(row.get("step"), int) and isinstance(row.get("data"), dict):
                yield row


def validation_accuracy(data: Mapping[str, Any]) -> float | None:
    """The mean over the benchmarks of what a step's validation measured, None where it was not validated.

    The accuracy, or the reward of a reward function that tells of none.
    """
    for measure in ("/acc/mean@", "/reward/mean@"):
        values = [value for key, value in data.items() if key.startswith("val-core/") and measure in key]
        if values:
            return statistics.fmean(values)
    return None


def cut_metrics(path: str | os.PathLike[str], last_step: int) -> int:
    """Drop the rows after `last_step`, and broken lines, before a run resumes; returns how many rows were dropped."""
    path = Path(path)
    if not path.is_file():
        return 0
    rows = list(metrics_rows(path))
    kept = [row for row in rows if row["step"] <= last_step]
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in kept))
    return len(rows) - len(kept)
