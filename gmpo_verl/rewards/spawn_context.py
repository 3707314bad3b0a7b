"""multiprocessing's spawn: no ``__main__`` of the parent in the child, no child of the parent in its forks."""

import os
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import process
from multiprocessing.context import SpawnContext, SpawnProcess

_main_lock = threading.Lock()


class _Process(SpawnProcess):
    def start(self) -> None:
        with _hidden_main_module():
            super().start()


class MainlessSpawnContext(SpawnContext):
    """A start method for functions of importable modules: the child gets an empty ``__main__``."""

    Process = _Process


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
