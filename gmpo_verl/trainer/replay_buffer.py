"""verl's replay buffers, polled often enough for steps of a second."""

from typing import Any

from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

POLL_SECONDS = 0.05  # verl's default of 2.0 (trainer/ppo/v1/replay_buffer.py) is most of a small step


def fast_replay_buffer(trainer_mode: str, **options: Any) -> ReplayBuffer:
    """The buffer that verl itself would take for the mode; plugged in through `trainer.v1.sampler.custom_sampler`."""
    buffer = ReplayBuffer if trainer_mode == "sync" else ReplayBufferAsync
    return buffer(trainer_mode=trainer_mode, **{"poll_interval": POLL_SECONDS, **options})
