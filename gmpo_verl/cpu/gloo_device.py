"""One gloo thread for all the groups of a vLLM worker that stands alone.

vLLM makes a pair of groups for each kind of parallelism, of one rank each, and torch 2.13.0 gives every gloo group a
device of its own (ProcessGroupGloo.cpp, the constructor that takes a timeout): a thread that wakes a hundred times a
second to see that nothing came. Thirty of them cost a loop of matrix products on two cores 3 %.
"""

from datetime import timedelta
from functools import wraps
from typing import Any

from torch.distributed import ProcessGroupGloo

_TIMEOUT = timedelta(minutes=30)  # torch's own default


def share() -> None:
    """From here on, this process's gloo groups of one rank share a device; once."""
    group_class: Any = ProcessGroupGloo
    original = group_class.__init__
    if hasattr(original, "__wrapped__"):
        return
    device = group_class.create_default_device()

    @wraps(original)
    def init(self: Any, store: Any, rank: int, size: int, *options: Any, timeout: timedelta = _TIMEOUT) -> None:
        if size > 1 or options:  # ranks that are to find each other, or a device that the caller has chosen
            original(self, store, rank, size, *options or [timeout])
            return
        shared = group_class._Options()
        shared._devices = [device]
        shared._timeout = timeout
        original(self, store, rank, size, shared)

    group_class.__init__ = init
