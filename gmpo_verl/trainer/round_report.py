"""What the updates of a round report, joined to the round's exact metrics."""

from collections import defaultdict

import numpy as np

from gmpo_verl.algorithms.loss_metrics import update_metrics
from gmpo_verl.trainer.update_statistics import UpdateStatistics


class RoundReport:
    """A round is one call of the workers' `update_actor`, or in `separate_async` one for each of its mini-batches.

    verl averages the metrics of several calls, which is exact for none of ours: ratios of sums over tokens, means over
    the responses that were not pruned.

    Attributes:
        by_response: the statistics of each response's last update, by the response's key in the transfer queue.
    """

    def __init__(self) -> None:
        self.by_response: dict[str, dict[str, float]] = {}
        self._by_name: dict[str, list[np.ndarray]] = defaultdict(list)
        self._means: dict[str, list[tuple[float, int]]] = defaultdict(list)

    def add_update(self, updates: UpdateStatistics) -> None:
        """The statistics of the latest call."""
        self.by_response |= updates.by_response
        for name, values in updates.by_name.items():
            self._by_name[name].append(values)

    def add_mean(self, name: str, value: float, count: int) -> None:
        """A metric that is a mean over `count` tokens or responses of one call."""
        self._means[name].append((value, count))

    def metrics(self) -> dict[str, float]:
        """`update_metrics` over all responses of the round, and the means over all of its tokens or responses."""
        joined = {name: np.concatenate(parts) for name, parts in self._by_name.items()}
        means = {}
        for name, parts in self._means.items():
            values, counts = zip(*parts, strict=True)
            means[name] = float(np.average(values, weights=counts))
        return (update_metrics(joined) if joined else {}) | means
