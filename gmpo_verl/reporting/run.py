"""A run as its files tell it: metrics by name, configuration, and whether it has ended."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gmpo_verl.errors import UserError
from gmpo_verl.reporting.text import displayable
from gmpo_verl.reporting.values import as_float
from gmpo_verl.trainer.run_metrics import metrics_rows

METRICS_FILE = "metrics.jsonl"


@dataclass(frozen=True)
class Series:
    """One metric: a value at each of its steps, in order of steps. Values may be NaN or infinite."""

    steps: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def finite(self) -> list[tuple[int, float]]:
        """(step, value) where the value is a finite number."""
        pairs = zip(self.steps, self.values, strict=True)
        return [(step, value) for step, value in pairs if math.isfinite(value)]


@dataclass
class Run:
    """What stands in a run's directory, dumps of answers left aside."""

    folder: Path
    metrics_file: Path
    name: str = ""  # tells it from the other runs of a page
    config: dict[str, Any] = field(default_factory=dict)  # empty where none was kept, as for stock verl
    metrics: dict[str, Series] = field(default_factory=dict)
    steps: tuple[int, ...] = ()
    finished: bool = False
    notes: list[str] = field(default_factory=list)  # what could not be read, in sentences

    def series(self, *names: str) -> Series | None:
        """The first of these metrics that the run has."""
        return next((self.metrics[name] for name in names if name in self.metrics), None)

    def last(self, *names: str) -> float | None:
        """The last finite value of the first of these metrics that the run has."""
        series = self.series(*names)
        return series.finite[-1][1] if series and series.finite else None

    def option(self, key: str) -> Any:
        """The value of a dotted key of the configuration, None where it is not there."""
        node: Any = self.config
        for part in key.split("."):
            if not isinstance(node, dict):
                return None
            node = node.get(part)
        return node

    @property
    def total_steps(self) -> int | None:
        total = self.option("trainer.total_training_steps")
        return total if isinstance(total, int) and not isinstance(total, bool) else None

    @property
    def last_step(self) -> int:
        return self.steps[-1] if self.steps else 0


def locate(argument: str) -> tuple[Path, Path]:
    """The folder and the metrics file that a command-line argument means: a run's directory, or a metrics file.

    Raises:
        UserError: there is no such folder or file, or the folder holds no metrics.
    """
    path = Path(argument).expanduser()
    if path.is_file():
        return path.parent, path
    if not path.is_dir():
        raise UserError(f"RUN={argument} does not exist: name the run_dir of a run, or its metrics.jsonl.")
    ours = path / METRICS_FILE
    if ours.is_file() or (path / "config.yaml").is_file():
        return path, ours
    others = sorted(path.glob("*.jsonl"))
    if len(others) == 1:  # as verl's own file logger names it, after the experiment
        return path, others[0]
    if others:
        raise UserError(f"RUN={argument} holds {len(others)} .jsonl files and no {METRICS_FILE}: name one of them.")
    raise UserError(f"RUN={argument} holds no {METRICS_FILE}: name the run_dir of a run that has begun.")


def read_run(folder: Path, metrics_file: Path, name: str) -> Run:
    """Read a run's metrics and configuration; what is broken is left out and noted.

    Raises:
        UserError: the metrics file cannot be opened.
    """
    run = Run(folder, metrics_file, name=name)
    try:
        _read_metrics(run)
    except OSError as error:
        raise UserError(f"RUN={metrics_file} cannot be read ({error.strerror}): check its permissions.") from error
    if metrics_file.name == METRICS_FILE:
        _read_config(run)
        run.finished = (folder / "finished.json").is_file()
    return run


def require_rows(run: Run) -> None:
    """Refuse a run without a single whole row.

    Raises:
        UserError: naming the file.
    """
    if not run.steps:
        raise UserError(
            f"RUN={run.metrics_file} holds no whole row of metrics: wait for the run's first step, or add --follow."
        )


def _read_metrics(run: Run) -> None:
    by_name: dict[str, dict[int, float]] = {}
    steps = set()
    for row in metrics_rows(run.metrics_file):
        steps.add(row["step"])
        for name, value in row["data"].items():
            if (number := as_float(value)) is not None:
                by_name.setdefault(displayable(name), {})[row["step"]] = number  # of a step twice, the last
    run.steps = tuple(sorted(steps))
    for name, values in by_name.items():
        ordered = sorted(values.items())
        run.metrics[name] = Series(tuple(step for step, _ in ordered), tuple(value for _, value in ordered))
    if _last_line_is_broken(run.metrics_file):
        run.notes.append(f"The last line of {run.metrics_file.name} is cut off and was left out.")


def _last_line_is_broken(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        last = b""
        for line in file:
            last = line if line.strip() else last
    try:
        return bool(last) and not isinstance(json.loads(last), dict)
    except ValueError:
        return True


def _read_config(run: Run) -> None:
    path = run.folder / "config.yaml"
    if not path.is_file():
        return
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        config = None
    if isinstance(config, dict):
        run.config = config
    else:
        run.notes.append("config.yaml could not be read, so the configuration is missing here.")
