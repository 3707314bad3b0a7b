"""Whether the actors of a run are alive, for as long as the trainer waits without calling one.

verl's trainer hands its prompts to the agent loops and then looks into the transfer queue until the responses are there
(trainer/ppo/v1/replay_buffer.py:446). Where the node of an agent loop, a rollout server or a reward worker has gone,
nobody else would say so, and it would look for ever.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import ActorDiedError

_SECONDS = 5.0  # between two looks


class LostActorError(RuntimeError):
    """An actor of the run has died."""


class ActorWatch:
    """Raises when one of the actors has died; to be called often, it looks now and then.

    Each actor has one question under way, which a busy one answers when it can, and which fails when it dies: with its
    process at once, with its node when Ray gives the node up.

    Args:
        actors: Ray's handles, by what they are called in the error.
    """

    def __init__(self, actors: Mapping[str, Sequence[Any]], seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._next_look = 0.0
        self._asked: dict[Any, tuple[str, Any]] = {}
        for name, handles in actors.items():
            for handle in handles:
                self._ask(name, handle)

    def __call__(self) -> None:
        """Raises LostActorError where an actor has died."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + self._seconds
        answered, _ = ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0)
        for answer in answered:
            name, handle = self._asked.pop(answer)
            try:
                ray.get(answer)
            except ActorDiedError as error:
                raise LostActorError(f"a {name} was lost: {_why(error)}") from error
            except ray.exceptions.RayError:
                pass  # out of reach for now
            self._ask(name, handle)

    def _ask(self, name: str, handle: Any) -> None:
        self._asked[handle.__ray_ready__.remote()] = name, handle


def _why(error: ActorDiedError) -> str:
    """Ray's first line says that the actor died, a later one why."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if " because " in line), lines[0])
