"""verl's replay buffers, polled often enough for steps of a second, and not for ever."""

from collections.abc import Callable
from typing import Any

from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

POLL_SECONDS = 0.05  # verl's default of 2.0 (trainer/ppo/v1/replay_buffer.py) is most of a small step


def _nothing() -> None:
    pass


class WatchfulBuffer(ReplayBuffer):
    """Attributes:
    watch: called at every poll; raises where what is waited for cannot come any more.
    """

    watch: Callable[[], None] = staticmethod(_nothing)

    def _wait_for_next_poll(self, *args: Any, **kwargs: Any) -> float:
        self.watch()
        return super()._wait_for_next_poll(*args, **kwargs)


class WatchfulBufferAsync(WatchfulBuffer, ReplayBufferAsync):
    """The same for rollouts that run ahead."""


def fast_replay_buffer(trainer_mode: str, **options: Any) -> WatchfulBuffer:
    """The buffer that verl itself would take for the mode; plugged in through `trainer.v1.sampler.custom_sampler`."""
    buffer = WatchfulBuffer if trainer_mode == "sync" else WatchfulBufferAsync
    return buffer(trainer_mode=trainer_mode, **{"poll_interval": POLL_SECONDS, **options})
