"""metrics.jsonl: one row a step, appended, on disk before the step counts as done."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


class MetricsLog:
    """Passes everything on to verl's `Tracking` and keeps a copy in the run directory.

    verl's own file logger opens its file with "w" (utils/tracking.py:541) and so empties it when a run resumes.
    """

    def __init__(
        self, tracking: Any, path: Path, after_row: Callable[[int, dict[str, Any]], None] = lambda step, data: None
    ) -> None:
        """`after_row`: called with each step and its numbers once they are on disk and with verl's loggers."""
        self._tracking, self._after_row = tracking, after_row
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115  lives as long as the run

    def log(self, data: dict[str, Any], step: int, **kwargs: Any) -> None:
        """Write `{"step": step, "data": data}`; numbers only, NaN and inf as JSON's extension of the same name."""
        row: dict[str, Any] = {
            "step": step,
            "data": {key: number for key, value in data.items() if (number := _number(value)) is not None},
        }
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._tracking.log(data=data, step=step, **kwargs)
        self._after_row(step, row["data"])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tracking, name)


def _number(value: Any) -> float | int | None:
    """A plain number of a number, or of a numpy or torch scalar; None for all else."""
    if isinstance(value, bool | int | float):
        return value
    try:
        return value.item()
    except (AttributeError, ValueError, RuntimeError):  # no scalar: a text, a table, a tensor of several
        return None
