"""verl's words for its loops, and `gmpo`, choose those loops with this package's steps before verl's own."""

import inspect
import time

import pytest
from verl.trainer.ppo.v1 import (
    PPOTrainerColocateAsync,
    PPOTrainerSeparateAsync,
    PPOTrainerSync,
    get_trainer_cls,
)
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

import gmpo_verl.trainer.gmpo_trainer  # noqa: F401  registers the trainers
from gmpo_verl.trainer.gmpo_steps import GMPOSteps
from gmpo_verl.trainer.replay_buffer import POLL_SECONDS, fast_replay_buffer

LOOPS = {
    "gmpo": PPOTrainerSync,
    "sync": PPOTrainerSync,
    "colocate_async": PPOTrainerColocateAsync,
    "separate_async": PPOTrainerSeparateAsync,
}
BUFFER_OPTIONS = {
    "trainer_config": {},
    "max_off_policy_threshold": 8,
    "max_off_policy_strategy": "drop",
    "sampler_kwargs": {},
    "refill_fn": None,
}


@pytest.mark.parametrize(("word", "loop"), LOOPS.items())
def test_a_word_chooses_verls_loop_with_our_steps_first(word, loop):
    order = get_trainer_cls(word).__mro__
    assert order.index(GMPOSteps) < order.index(loop)


def test_the_synchronous_trainer_calls_itself_by_the_word_that_verl_compares_with():
    trainer = object.__new__(get_trainer_cls("gmpo"))
    trainer.trainer_mode = "gmpo"  # as verl's constructor does
    assert trainer.trainer_mode == "sync"


@pytest.mark.parametrize(
    ("mode", "buffer"),
    [("sync", ReplayBuffer), ("colocate_async", ReplayBufferAsync), ("separate_async", ReplayBufferAsync)],
)
def test_the_replay_buffer_is_verls_for_the_mode_and_polls_often(mode, buffer):
    made = fast_replay_buffer(trainer_mode=mode, **BUFFER_OPTIONS)
    assert isinstance(made, buffer)
    assert isinstance(made, ReplayBufferAsync) == (buffer is ReplayBufferAsync)
    assert (made.trainer_mode, made.poll_interval) == (mode, POLL_SECONDS)


@pytest.mark.parametrize("mode", ["sync", "colocate_async", "separate_async"])
def test_the_replay_buffer_asks_at_every_poll_whether_to_go_on(mode):
    buffer = fast_replay_buffer(trainer_mode=mode, **BUFFER_OPTIONS | {"poll_interval": 0})
    asked = []
    buffer.watch = lambda: asked.append(mode)
    for _ in range(2):
        buffer._wait_for_next_poll("train", time.time())
    assert asked == [mode, mode]


class Clock:
    """Stands for verl's and our `time`: it goes on only by sleeping."""

    def __init__(self):
        self.now, self.pauses = 0.0, []

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    def monotonic(self):
        return self.now

    time = monotonic


@pytest.fixture
def waits(monkeypatch):
    """Waits of a buffer until something has come after so many seconds; returns the pauses between looks."""
    clock = Clock()
    monkeypatch.setattr("verl.trainer.ppo.v1.replay_buffer.time", clock)
    monkeypatch.setattr("gmpo_verl.trainer.replay_buffer.time", clock)

    def sample(self, global_steps, partition_id, batch_size):
        begun = clock.now
        while clock.now - begun < global_steps:
            self._wait_for_next_poll(partition_id, 0)

    monkeypatch.setattr(ReplayBuffer, "sample", sample)
    buffer = fast_replay_buffer(trainer_mode="sync", **BUFFER_OPTIONS)
    for partition in ("pending_keys", "running_keys", "finished_keys", "failure_keys"):
        getattr(buffer, partition).update(train=set(), val=set())

    def pauses(seconds, partition="train"):
        clock.pauses.clear()
        buffer.sample(seconds, partition, 1)
        return list(clock.pauses)

    return pauses


def test_a_long_wait_is_looked_at_less_often(waits):
    pauses = waits(60)
    assert pauses[0] == POLL_SECONDS and pauses[-1] == 0.5
    elapsed = POLL_SECONDS
    for pause in pauses:
        assert pause <= POLL_SECONDS + 0.03 * elapsed
        elapsed += pause


def test_after_a_wait_the_next_is_not_looked_at_before_most_of_it_is_over(waits):
    looks = waits(0.3)
    again = waits(0.3)
    assert again[0] == pytest.approx(0.7 * sum(looks)) and again[1] == POLL_SECONDS
    assert len(again) < 0.5 * len(looks)
    assert waits(0.01, "val") == [POLL_SECONDS]  # of another kind nothing is known yet
    assert waits(0.01)[0] <= 0.3  # too long once
    assert waits(0.01)[0] < 0.2
    waits(60)
    assert waits(1)[0] == 0.5


def test_verl_still_fails_without_colocated_rollouts_so_that_preflight_refuses_it():
    source = inspect.getsource(PPOTrainerSeparateAsync._setup)
    assert "flush=True" in source[source.index("logger.info(") :]
