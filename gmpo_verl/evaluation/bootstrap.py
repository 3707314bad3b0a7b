"""Confidence intervals by the bootstrap over problems; the same numbers give the same interval."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEVEL = 0.95
RESAMPLES = 10_000
_SEED = 0
_CHUNK = 1_000  # resamples at a time: memory of a chunk is 8 MB for a thousand problems


class Estimate(NamedTuple):
    """A mean and the interval of LEVEL around it."""

    value: float
    low: float
    high: float


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of one value a problem [P], with the percentile interval over problems drawn with replacement.

    The interval speaks of other problems of the same kind, not of other answers to these. It has no width where all
    values are equal, and is a little too narrow for a few dozen problems.

    Raises:
        ValueError: no values.
    """
    return estimate_average([values])


def estimate_average(benchmarks: Sequence[Sequence[float]]) -> Estimate:
    """The plain mean of the benchmarks' means, each benchmark's problems drawn on their own.

    Raises:
        ValueError: no benchmark, or one without values.
    """
    # Sorted, so that the order of the problems does not matter.
    arrays = [np.sort(np.asarray(values, dtype=np.float64)) for values in benchmarks]
    if not arrays or any(array.size == 0 for array in arrays):
        raise ValueError("an estimate needs at least one value of every benchmark")
    rng = np.random.default_rng(_SEED)
    means = np.mean([_resampled_means(array, rng) for array in arrays], axis=0)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Estimate(float(np.mean([array.mean() for array in arrays])), float(low), float(high))


def _resampled_means(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """[RESAMPLES]"""
    chunks = [
        values[rng.integers(values.size, size=(_CHUNK, values.size))].mean(axis=1) for _ in range(RESAMPLES // _CHUNK)
    ]
    return np.concatenate(chunks)
