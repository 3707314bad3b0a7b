"""Ends what a worker has started when the worker is killed."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

_LOOK_SECONDS = 0.5
# For Python's trackers, which remove the shared memory of processes that have ended.
_GRACE_SECONDS = 2.0


@contextmanager
def guarded_group() -> Iterator[None]:
    """While it lasts, a forked process waits for this one's end, to kill the process group, which this one must lead.

    vLLM's processes of a model that is cut over devices end by themselves, but not while they wait for a message of
    one that is gone. To be called before anything starts threads.
    """
    worker = os.getpid()
    assert os.getpgrp() == worker, "the group holds others"
    guard = os.fork()
    if guard == 0:
        _wait_and_kill(worker)
    try:
        yield
    finally:
        os.kill(guard, signal.SIGKILL)
        os.waitpid(guard, 0)


def _wait_and_kill(worker: int) -> NoReturn:
    os.closerange(0, 256)  # whoever reads the worker's output waits for its last writer
    while os.getppid() == worker:
        time.sleep(_LOOK_SECONDS)
    time.sleep(_GRACE_SECONDS)
    os.killpg(worker, signal.SIGKILL)  # itself, too
    os._exit(1)
