"""Which answers a page holds: all answers to as many problems as fit, the same problems in every run and step."""

import hashlib
import heapq
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from gmpo_verl.reporting.sample import Sample


def problem_key(prompt: str) -> bytes:
    """A problem's place in an order that looks random but is the same for every run, step and call."""
    return hashlib.blake2b(prompt.encode("utf-8", "replace"), digest_size=8).digest()


@dataclass
class SampleStore:
    """Keeps whole problems, those first in the order of `problem_key`, within two budgets.

    A sample of problems and not of answers: a problem that is kept can be followed across steps and runs. Answers may
    come in any order and number; memory holds no more than the budgets.

    Attributes:
        max_samples: answers.
        max_bytes: of the responses, each compressed on its own; together they take less.
        seen: answers offered.
        size: bytes of the responses that are kept.
    """

    max_samples: int
    max_bytes: int
    seen: int = 0
    size: int = 0
    _problems: dict[bytes, list[tuple[Sample, int]]] = field(default_factory=dict)  # with the bytes of each
    _last_first: list[tuple[int, bytes]] = field(default_factory=list)  # a heap of the kept problems
    _kept: int = 0
    _bar: bytes = b"\xff" * 9  # problems from here on do not fit

    def __len__(self) -> int:
        return self._kept

    def wants(self, prompt: str) -> bool:
        """Count an answer to the problem `prompt`, and say whether to make a sample of it."""
        self.seen += 1
        return problem_key(prompt) < self._bar

    def add(self, prompt: str, sample: Sample) -> None:
        """Take a sample that is wanted."""
        key = problem_key(prompt)
        if key not in self._problems:
            self._problems[key] = []
            heapq.heappush(self._last_first, (-int.from_bytes(key, "big"), key))
        cost = len(zlib.compress(sample.output.encode("utf-8", "replace"), level=1))
        self._problems[key].append((sample, cost))
        self._kept += 1
        self.size += cost
        self._shed()

    def limit(self, max_samples: int, max_bytes: int) -> None:
        """Tighten the budgets; what was dropped does not come back."""
        self.max_samples, self.max_bytes = min(max_samples, self.max_samples), min(max_bytes, self.max_bytes)
        self._shed()

    def samples(self) -> Iterator[Sample]:
        """What is kept, problem by problem, in order of run, then step."""
        for key in sorted(self._problems):
            kept = (sample for sample, _ in self._problems[key])
            yield from sorted(kept, key=lambda sample: (sample.run, sample.step))

    @property
    def _is_over(self) -> bool:
        return self._kept > self.max_samples or self.size > self.max_bytes

    def _shed(self) -> None:
        while self._problems and self._is_over:
            if len(self._problems) == 1 and self.max_samples > 0:
                self._shorten_only_problem()
                return
            _, self._bar = heapq.heappop(self._last_first)
            dropped = self._problems.pop(self._bar)
            self._kept -= len(dropped)
            self.size -= sum(cost for _, cost in dropped)

    def _shorten_only_problem(self) -> None:
        """A single problem over the budget keeps its first answers."""
        (kept,) = self._problems.values()
        while len(kept) > 1 and self._is_over:
            self.size -= kept.pop()[1]
            self._kept -= 1
