"""Rows of a contender that is not verl, in verl's own format and under verl's own names."""

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StepLog:
    """Collects where a step's time goes; a phase inside another one is charged to the inner one alone."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        self._seconds: dict[str, float] = defaultdict(float)
        self._inner: list[float] = []
        self._step = 0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            elapsed = time.perf_counter() - begin
            self._seconds[name] += elapsed - self._inner.pop()
            if self._inner:
                self._inner[-1] += elapsed

    def end_step(self, reward: float) -> None:
        self._step += 1
        timings = {f"timing_s/{name}": seconds for name, seconds in self._seconds.items()}
        self._file.write(json.dumps({"step": self._step, "data": {"critic/score/mean": reward} | timings}) + "\n")
        self._file.flush()
        self._seconds.clear()
