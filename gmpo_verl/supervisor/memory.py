"""The memory of all processes of a run together."""

import re
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

# Reading it costs up to a tenth of a second of a core for a large process: at most so much of the time.
_SHARE = 0.01
_EVERY_SECONDS = 15.0  # at the soonest
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


class PeakMemory:
    """The highest sum seen, in bytes. Of a page that n processes share each counts 1/n (proportional set size)."""

    def __init__(self) -> None:
        self.peak = 0
        self._next = 0.0

    def sample(self, processes: Iterable[psutil.Process]) -> None:
        """Measure, unless the last measurement is recent."""
        if time.monotonic() < self._next:
            return
        begun = time.monotonic()
        self.peak = max(self.peak, sum(_pss(process.pid) for process in processes))
        now = time.monotonic()
        self._next = now + max(_EVERY_SECONDS, (now - begun) / _SHARE)


def _pss(pid: int) -> int:
    try:
        found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0
