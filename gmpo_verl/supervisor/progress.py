"""How far a run has come, read from its metrics file while it is being written."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

_REWARD_KEYS = ("critic/score/mean", "critic/rewards/mean")
_ENTROPY_KEY = "actor/entropy"
_RATIO_KEYS = ("gmpo/log_ratio_min", "gmpo/log_ratio_max")
_CORRELATION_KEY = "training/rollout_actor_probs_pearson_corr"
# Steps over which the time a step takes is averaged: enough to smooth out validation, few enough to follow a change.
_WINDOW = 20


@dataclass
class Progress:
    """The figures a user wants to see. Times in seconds; accuracies, rewards and entropy as verl logs them."""

    total_steps: int | None = None
    first_step: int = 1
    step: int = 0
    reward: float | None = None
    entropy: float | None = None  # nats a token
    log_ratio_range: tuple[float, float] | None = None  # smallest and largest of the step's tokens
    accuracy_first: dict[str, tuple[int, float]] = field(default_factory=dict)  # key: (step, value)
    accuracy_last: dict[str, tuple[int, float]] = field(default_factory=dict)
    correlation_min: float | None = None
    began: float = field(default_factory=time.monotonic)
    _marks: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_WINDOW + 1))

    def take(self, row: dict[str, Any], now: float | None = None) -> None:
        """Account for one row of the metrics file; `now` is left out for rows that an earlier run has written."""
        data, step = row.get("data"), row.get("step")
        if not isinstance(data, dict):
            return
        if not isinstance(step, int):
            return
        self.step = max(self.step, step)
        if now is not None and step >= self.first_step - 1:
            self._marks.append((now, step))
        self.reward = next((data[key] for key in _REWARD_KEYS if key in data), self.reward)
        self.entropy = data.get(_ENTROPY_KEY, self.entropy)
        if all(key in data for key in _RATIO_KEYS):
            self.log_ratio_range = (data[_RATIO_KEYS[0]], data[_RATIO_KEYS[1]])
        for key, value in data.items():
            if key.startswith("val-core/") and "/acc/mean@" in key:
                self.accuracy_first.setdefault(key, (self.step, value))
                self.accuracy_last[key] = (self.step, value)
        correlation = data.get(_CORRELATION_KEY)
        if correlation is not None and correlation == correlation:  # NaN: not measured
            self.correlation_min = (
                correlation if self.correlation_min is None else min(correlation, self.correlation_min)
            )

    def begin(self, total_steps: int | None, first_step: int) -> None:
        """Forget every row: a run starts, or resumes before the last rows and has cut them off."""
        self.total_steps, self.first_step, self.step = total_steps, first_step, first_step - 1
        self.reward = self.entropy = self.log_ratio_range = self.correlation_min = None
        self.accuracy_first, self.accuracy_last = {}, {}
        self._marks.clear()

    @property
    def accuracy(self) -> float | None:
        """The latest validation accuracy, the mean over the data sets."""
        values = [value for _, value in self.accuracy_last.values()]
        return sum(values) / len(values) if values else None

    @property
    def seconds_a_step(self) -> float | None:
        if len(self._marks) < 2:
            return None
        (t0, step0), (t1, step1) = self._marks[0], self._marks[-1]
        return (t1 - t0) / (step1 - step0) if step1 > step0 and t1 > t0 else None

    @property
    def seconds_left(self) -> float | None:
        pace = self.seconds_a_step
        if pace is None or self.total_steps is None:
            return None
        return pace * max(0, self.total_steps - self.step)


def duration(seconds: float) -> str:
    """`45 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
