"""A metric over the steps of a group of runs: the mean of its seeds and their range."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from gmpo_verl.reporting.groups import Group
from gmpo_verl.reporting.run import Series

# More points than a wide screen has pixels show nothing more.
MAX_POINTS = 1_200


@dataclass(frozen=True)
class Curve:
    """Over the runs that have a value at a step: their mean, least and largest; None where none is finite."""

    steps: tuple[int, ...]
    mean: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    runs: int  # that have the metric

    @property
    def has_values(self) -> bool:
        return any(value is not None for value in self.mean)

    @property
    def last(self) -> tuple[int, float] | None:
        """(step, mean) at the last step that has one."""
        pairs = zip(reversed(self.steps), reversed(self.mean), strict=True)
        return next(((step, value) for step, value in pairs if value is not None), None)

    @property
    def first(self) -> tuple[int, float] | None:
        pairs = zip(self.steps, self.mean, strict=True)
        return next(((step, value) for step, value in pairs if value is not None), None)


def curve(group: Group, *names: str) -> Curve | None:
    """The curve of the first of these metrics that each run has, thinned to what can be seen; None if none has it."""
    found = [series for run in group.runs if (series := run.series(*names))]
    return thinned(_over_runs(found)) if found else None


def _over_runs(found: Sequence[Series]) -> Curve:
    values = [dict(zip(series.steps, series.values, strict=True)) for series in found]
    steps = tuple(sorted({step for series in found for step in series.steps}))
    mean: list[float | None] = []
    low: list[float | None] = []
    high: list[float | None] = []
    for step in steps:
        here = [value for by_step in values if math.isfinite(value := by_step.get(step, math.nan))]
        mean.append(statistics.fmean(here) if here else None)
        low.append(min(here) if here else None)
        high.append(max(here) if here else None)
    return Curve(steps, tuple(mean), tuple(low), tuple(high), len(found))


def thinned(curve: Curve, limit: int = MAX_POINTS) -> Curve:
    """At most about `limit` points; of each stretch those with the least and the largest value stay, so do the ends."""
    count = len(curve.steps)
    if count <= limit:
        return curve
    kept = {0, count - 1}
    stretch = math.ceil(2 * count / limit)
    for start in range(0, count, stretch):
        inside = range(start, min(start + stretch, count))
        finite = [index for index in inside if curve.mean[index] is not None]
        kept |= (
            {min(finite, key=lambda i: curve.low[i] or 0.0), max(finite, key=lambda i: curve.high[i] or 0.0)}
            if finite
            else {start}
        )
    order = sorted(kept)

    def pick(values: tuple[float | None, ...]) -> tuple[float | None, ...]:
        return tuple(values[index] for index in order)

    steps = tuple(curve.steps[index] for index in order)
    return Curve(steps, pick(curve.mean), pick(curve.low), pick(curve.high), curve.runs)
