"""multiprocessing's spawn, without running the parent's ``__main__`` again in the child."""

import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
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
