"""multiprocessing's spawn for one child at a time: no ``__main__`` of the parent in it, no file in shared memory."""

import os
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import process
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

_main_lock = threading.Lock()


class _Process(SpawnProcess):
    def start(self) -> None:
        with _hidden_main_module():
            super().start()


class _LocalRLock:
    """A lock between the threads of a process: whoever unpickles it gets one of its own."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        return self._lock.acquire(block, -1 if timeout is None or not block else timeout)

    def release(self) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type["_LocalRLock"], tuple[()]]:
        return _LocalRLock, ()


class MainlessSpawnContext(SpawnContext):
    """A start method for functions of importable modules, in pools of one process.

    The child gets an empty ``__main__``. ``RLock`` excludes threads, not processes: in a pool of one there is nobody to
    exclude, and what multiprocessing makes there is a file in shared memory, which stays when everything is killed.
    """

    Process = _Process

    def RLock(self) -> Any:
        return _LocalRLock()


@contextmanager
def _hidden_main_module() -> Iterator[None]:
    # Spawn executes the parent's main module in the child, to find what was pickled from there. In a Ray worker that
    # is ray's default_worker.py, which would import ray into every grading process, and a user's script without a
    # __main__ guard would start over. multiprocessing has no option against it; it reads sys.modules at this moment.
    with _main_lock:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def _disown_after_fork() -> None:
    # A fork inherits the list of its parent's children, and would end them when it exits. multiprocessing empties the
    # list in the forks that it makes itself; after a plain os.fork nobody does.
    children: set[process.BaseProcess] = process._children  # type: ignore[attr-defined]
    children.difference_update([child for child in children if isinstance(child, _Process)])


os.register_at_fork(after_in_child=_disown_after_fork)
# No fork while the main module is hidden: it would stay so in the child.
os.register_at_fork(before=_main_lock.acquire, after_in_parent=_main_lock.release, after_in_child=_main_lock.release)
