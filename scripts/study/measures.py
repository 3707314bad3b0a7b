"""Figures of one run of a study, read from the metrics that it has left."""

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gmpo_verl.reporting import metric_names as names
from gmpo_verl.reporting.run import Run, read_run
from gmpo_verl.reporting.thresholds import REWARD_KEPT, STRETCH

# The rounds around the middle of a run over which entropy is averaged, as shares of its length.
MID = (0.4, 0.6)
LATE = 3  # validations


@dataclass(frozen=True)
class Result:
    """What the table says of one run; None where it was not measured.

    `accuracy` is the last validation's, `late_accuracy` the mean of the last LATE. The log ratio's extremes are over a
    round's tokens, averaged over rounds, as is `clipped`, the fraction of tokens whose clip binds on either side.
    `gradient_spread` is the standard deviation of the gradient norm over rounds, divided by its mean.
    """

    seed: int
    start: float | None
    accuracy: float | None
    late_accuracy: float | None
    clipped: float | None
    log_ratio_high: float | None
    log_ratio_low: float | None
    entropy: float | None
    gradient_spread: float | None
    collapsed: bool
    seconds: float
    commit: str
    machine: str


def read_result(folder: Path) -> Result:
    """The figures of the run in `runs/<arm>-seed<k>`."""
    made = json.loads((folder / "run.json").read_text())
    run = read_run(folder, folder / "metrics.jsonl", folder.name)
    (accuracy,) = names.accuracies([run]).values() or ((),)
    return Result(
        seed=made["seed"],
        start=_over(run, lambda values: values[0], *accuracy),
        accuracy=_over(run, lambda values: values[-1], *accuracy),
        late_accuracy=_over(run, lambda values: statistics.fmean(values[-LATE:]), *accuracy),
        clipped=_clipped(run),
        log_ratio_high=_over(run, statistics.fmean, names.LOG_RATIO_MAX),
        log_ratio_low=_over(run, statistics.fmean, names.LOG_RATIO_MIN),
        entropy=_at_mid(run),
        gradient_spread=_over(run, _spread, *names.GRAD_NORM),
        collapsed=made["exit_code"] != 0 or _has_lost_its_reward(run),
        seconds=made["seconds"],
        commit=made["commit"],
        machine=made["machine"],
    )


def _over(run: Run, take: Callable[[list[float]], float], *metric: str) -> float | None:
    series = run.series(*metric)
    values = [value for _, value in series.finite] if series else []
    return take(values) if values else None


def _clipped(run: Run) -> float | None:
    high, low = (_over(run, statistics.fmean, name) for name in (names.CLIP_HIGH, names.CLIP_LOW))
    return None if high is None or low is None else high + low


def _spread(values: list[float]) -> float:
    return statistics.pstdev(values) / statistics.fmean(values)


def _at_mid(run: Run) -> float | None:
    series, low, high = run.series(*names.ENTROPY), *(share * run.last_step for share in MID)
    values = [value for step, value in series.finite if low <= step <= high] if series else []
    return statistics.fmean(values) if values else None


def _has_lost_its_reward(run: Run) -> bool:
    """As the report's warning: the median of the last fifth of the rounds is below half of the best fifth's."""
    series = run.series(*names.REWARD)
    values = [value for _, value in series.finite] if series else []
    size = max(1, round(len(values) * STRETCH))
    medians = [statistics.median(values[start : start + size]) for start in range(len(values) - size + 1)]
    return bool(medians) and medians[-1] < REWARD_KEPT * max(medians)
