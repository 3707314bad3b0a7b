"""Several groups of runs side by side: final figures, their differences, and whether these exceed the seeds' spread."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gmpo_verl.reporting import metric_names as names
from gmpo_verl.reporting.groups import Group
from gmpo_verl.reporting.run import Run, Series
from gmpo_verl.reporting.summary import seconds_trained
from gmpo_verl.supervisor.progress import duration


@dataclass(frozen=True)
class Cell:
    """A group's value: the mean of its seeds, their range, and the difference to the first group; empty if none."""

    value: str = ""
    spread: str = ""
    difference: str = ""
    within_spread: bool = False  # the two groups' ranges overlap, where both have several seeds


@dataclass(frozen=True)
class Row:
    name: str
    cells: tuple[Cell, ...]


# The rounds over which a noisy metric is averaged at the end of a run.
_LAST = 10

Measure = Callable[[Run], float | None]
Format = Callable[[float], str]


def final_table(groups: Sequence[Group]) -> list[Row]:
    """One row a figure; figures that no run has are left out."""
    rows = []
    for name, measure, text in _measures(groups):
        values = [[value for run in group.runs if (value := measure(run)) is not None] for group in groups]
        if any(values):
            rows.append(Row(name, tuple(_cell(found, values[0], index, text) for index, found in enumerate(values))))
    return rows


def _measures(groups: Sequence[Group]) -> list[tuple[str, Measure, Format]]:
    def three(value: float) -> str:
        return f"{value:.3f}"

    def short(value: float) -> str:
        return f"{value:.3g}"

    def percent(value: float) -> str:
        return f"{100 * value:.2f} %"

    measures: list[tuple[str, Measure, Format]] = []
    for benchmark, metrics in names.accuracies(run for group in groups for run in group.runs).items():
        measures.append((f"Accuracy on {benchmark}, first", _of(_first, *metrics), three))
        measures.append((f"Accuracy on {benchmark}, last", _of(_last, *metrics), three))
        measures.append((f"Accuracy on {benchmark}, best", _of(max, *metrics), three))
    return [
        *measures,
        (f"Reward, last {_LAST} rounds", _of(_recent, *names.REWARD), three),
        (f"Entropy, last {_LAST} rounds", _of(_recent, *names.ENTROPY), short),
        ("Gradient norm, median", _of(statistics.median, *names.GRAD_NORM), short),
        ("Gradient norm, largest", _of(max, *names.GRAD_NORM), short),
        ("Log ratio, largest", _of(max, names.LOG_RATIO_MAX), short),
        ("Log ratio, smallest", _of(min, names.LOG_RATIO_MIN), short),
        ("Clipped above, mean", _of(statistics.fmean, names.CLIP_HIGH), percent),
        ("Clipped below, mean", _of(statistics.fmean, names.CLIP_LOW), percent),
        ("KL to the base model, last", _of(_last, *names.KL_TO_REF), short),
        (f"Response length, last {_LAST} rounds", _of(_recent, *names.LENGTH), short),
        (f"Truncated, last {_LAST} rounds", _of(_recent, *names.TRUNCATED), percent),
        ("Without signal, mean", _of(statistics.fmean, *names.NO_SIGNAL), percent),
        ("Seconds a step, median", _of(statistics.median, *names.STEP_SECONDS), short),
        ("Tokens/s and device, median", _of(statistics.median, *names.THROUGHPUT), lambda value: f"{value:,.0f}"),
        ("Steps", lambda run: float(run.last_step), lambda value: f"{value:.0f}"),
        ("Time, start-up left out", seconds_trained, _duration),
    ]


def _of(take: Callable[[Sequence[float]], float], *metric: str) -> Measure:
    def measure(run: Run) -> float | None:
        series: Series | None = run.series(*metric)
        values = [value for _, value in series.finite] if series else []
        return take(values) if values else None

    return measure


def _first(values: Sequence[float]) -> float:
    return values[0]


def _last(values: Sequence[float]) -> float:
    return values[-1]


def _recent(values: Sequence[float]) -> float:
    return statistics.fmean(values[-_LAST:])


def _duration(seconds: float) -> str:
    return f"-{duration(-seconds)}" if seconds < 0 else duration(seconds)


def _cell(values: list[float], first: list[float], index: int, text: Format) -> Cell:
    if not values:
        return Cell()
    mean = statistics.fmean(values)
    low, high = text(min(values)), text(max(values))
    spread = f"{low} to {high}" if low != high else ""
    if index == 0 or not first or text(mean) == text(statistics.fmean(first)):
        return Cell(text(mean), spread)
    change = mean - statistics.fmean(first)
    several = len(values) > 1 and len(first) > 1
    overlap = several and min(values) <= max(first) and min(first) <= max(values)
    return Cell(text(mean), spread, f"{'+' if change >= 0 else ''}{text(change)}", overlap)
