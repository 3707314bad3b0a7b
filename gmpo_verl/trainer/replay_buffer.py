"""verl's replay buffers, polled often enough for steps of a second, and not for ever."""

import time
from collections.abc import Callable
from typing import Any

from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

POLL_SECONDS = 0.02  # at first; verl's default of 2.0 (trainer/ppo/v1/replay_buffer.py) is most of a small step
_GROWTH, _LONGEST = 1.02, 0.5  # a long wait is looked at less often: about every 50th part of it
_SURE = 0.7  # of the last wait: before that nothing comes, and to look takes time from those who are waited for


def _nothing() -> None:
    pass


class WatchfulBuffer(ReplayBuffer):
    """Attributes:
    watch: called at every poll; raises where what is waited for cannot come any more.
    """

    watch: Callable[[], None] = staticmethod(_nothing)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._first_interval = self._next_interval = self.poll_interval
        self._last_wait: dict[str, float] = {}  # seconds, of each partition

    def sample(self, global_steps: int, partition_id: str, batch_size: int) -> Any:
        self._begin_wait(_SURE * self._last_wait.get(partition_id, 0.0))
        begun = time.monotonic()
        batch = super().sample(global_steps, partition_id, batch_size)
        self._last_wait[partition_id] = time.monotonic() - begun
        return batch

    def _begin_wait(self, first: float = 0.0) -> None:
        self.poll_interval = max(self._first_interval, min(first, _LONGEST))
        self._next_interval = self._first_interval

    def _wait_for_next_poll(self, *args: Any, **kwargs: Any) -> float:
        self.watch()
        now = super()._wait_for_next_poll(*args, **kwargs)
        self.poll_interval = self._next_interval
        self._next_interval = min(self._next_interval * _GROWTH, max(_LONGEST, self._next_interval))
        return now


class WatchfulBufferAsync(WatchfulBuffer, ReplayBufferAsync):
    """The same for rollouts that run ahead."""

    def wait_for_sampleable(self, *args: Any, **kwargs: Any) -> Any:
        self._begin_wait()
        return super().wait_for_sampleable(*args, **kwargs)


def fast_replay_buffer(trainer_mode: str, **options: Any) -> WatchfulBuffer:
    """The buffer that verl itself would take for the mode; plugged in through `trainer.v1.sampler.custom_sampler`."""
    buffer = WatchfulBuffer if trainer_mode == "sync" else WatchfulBufferAsync
    return buffer(trainer_mode=trainer_mode, **{"poll_interval": POLL_SECONDS, **options})
