"""Rewrite a page as its runs go on."""

import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from gmpo_verl.reporting.collected import Collected, Collector

# Between two looks at the runs' files.
POLL_SECONDS = 1.0
# Between two versions of the page, and at least so many times what writing one takes: following costs a run little.
LEAST_SECONDS = 5.0
COST_FACTOR = 10.0


def follow(collector: Collector, write: Callable[[Collected, bool], None], poll_seconds: float = POLL_SECONDS) -> None:
    """Write the page now and whenever there is something new, until every run has finished.

    The last version does not reload itself any more; it is also written when the process is told to end.

    Args:
        write: writes a page; its second argument says whether the page is to reload itself.
    """
    signal.signal(signal.SIGTERM, _end)
    try:
        _until_finished(collector, lambda collected: write(collected, True), poll_seconds)
    finally:
        write(collector.collect(), False)


def _until_finished(collector: Collector, write: Callable[[Collected], None], poll_seconds: float) -> None:
    seen: object = None
    wait_until = 0.0
    while True:
        signature = collector.signature()
        if signature != seen and time.monotonic() >= wait_until:
            began = time.monotonic()
            collected = collector.collect()
            if all(run.finished for run in collected.runs):
                return
            write(collected)
            seen = signature
            cost = time.monotonic() - began
            wait_until = time.monotonic() + max(LEAST_SECONDS, COST_FACTOR * cost)
        time.sleep(poll_seconds)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
