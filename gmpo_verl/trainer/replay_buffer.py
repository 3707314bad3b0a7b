"""verl's replay buffer, polled often enough for steps of a second."""

from typing import Any

from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

POLL_SECONDS = 0.05  # verl's default of 2.0 (trainer/ppo/v1/replay_buffer.py) is most of a small step


class FastReplayBuffer(ReplayBuffer):
    """Plugged in through `trainer.v1.sampler.custom_sampler`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"poll_interval": POLL_SECONDS, **kwargs})
