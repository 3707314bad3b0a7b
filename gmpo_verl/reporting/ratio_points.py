"""Length and product of token ratios of every response (the paper's figure 6), thinned to what plots well."""

import heapq
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gmpo_verl.reporting.values import finite

MAX_POINTS = 1_500  # a run; more hide each other and slow a phone down


@dataclass
class RatioPoints:
    """(length in tokens, sum of log ratios) of a run's responses, an even sample of at most `MAX_POINTS`."""

    seen: int = 0
    _kept: list[tuple[int, int, float]] = field(default_factory=list)  # a heap: (-rank, length, log_ratio_sum)

    def add(self, row: Mapping[str, Any]) -> None:
        """Take a row of a rollout dump; one that was in no update has no ratio."""
        length, total = finite(row.get("length")), finite(row.get("log_ratio_sum"))
        if length is None or total is None or length < 1:
            return
        self.seen += 1
        rank = zlib.crc32(f"{row.get('uid')} {row.get('step')}".encode("utf-8", "replace"))
        point = (-rank, int(length), total)
        if len(self._kept) < MAX_POINTS:
            heapq.heappush(self._kept, point)
        elif point > self._kept[0]:
            heapq.heapreplace(self._kept, point)

    @property
    def points(self) -> list[tuple[int, float]]:
        """(length, log_ratio_sum), shortest first."""
        return sorted((length, total) for _, length, total in self._kept)
