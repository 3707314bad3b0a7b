"""What the tests of preflight share."""

import pytest
from omegaconf import DictConfig

from gmpo_verl.config.compose import compose
from gmpo_verl.trainer.preflight import resources

# Sizes that the expectations count with, whatever the recipe says.
SIZES = (
    "data.train_batch_size=32",
    "data.max_prompt_length=32",
    "data.max_response_length=8",
    "actor_rollout_ref.actor.ppo_mini_batch_size=8",
    "actor_rollout_ref.rollout.n=8",
    "actor_rollout_ref.rollout.val_kwargs.n=4",
    "trainer.total_training_steps=70",
    "trainer.total_epochs=30",
)


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else runs on the machine does not decide."""
    monkeypatch.setattr(resources, "free_memory", lambda: 64e9)
    monkeypatch.setattr(resources, "free_disk", lambda folder: 64e9)


@pytest.fixture(scope="session")
def composed() -> DictConfig:
    """The default configuration with SIZES; composing takes most of a second, so copy it before changing it."""
    return compose(SIZES)
