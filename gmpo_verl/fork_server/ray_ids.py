"""Ray's identifiers in forks: each fork must draw its own.

Ray 2.60 draws them from a generator (absl's) that is seeded at the first draw and knows nothing of forks. After one
draw in the server all its forks would draw the same numbers: two of them put their objects under the same identifiers,
and whoever asks for the one gets the other. ray/actor.py:2938 draws for every class with `@ray.remote`, at its import.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import ray.actor
from ray._raylet import JobID, TaskID


@contextlib.contextmanager
def undrawn() -> Iterator[None]:
    """While it lasts, Ray's actor classes get their identifiers from the system, and the generator stays unseeded."""
    module: Any = ray.actor
    original = module.ActorClassID

    class FromTheSystem:
        @staticmethod
        def from_random() -> Any:
            return original(os.urandom(original.size()))

    module.ActorClassID = FromTheSystem
    try:
        yield
    finally:
        module.ActorClassID = original


def forks_draw_alike() -> bool:
    """Whether the generator has been seeded in this process."""
    return _drawn_in_a_fork() == _drawn_in_a_fork()


def _drawn_in_a_fork() -> bytes:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, TaskID.for_fake_task(JobID.from_int(1)).binary())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        drawn = pipe.read()
    os.waitpid(pid, 0)
    return drawn
