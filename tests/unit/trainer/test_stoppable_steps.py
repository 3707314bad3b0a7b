"""A run that is asked to save and stop does so through verl's own loop."""

import inspect
import json

import pytest
from omegaconf import OmegaConf
from verl.trainer.ppo.v1 import PPOTrainer, get_trainer_cls

import gmpo_verl.trainer.gmpo_trainer  # noqa: F401  registers the trainers
from gmpo_verl.supervisor import save_request
from gmpo_verl.trainer.stoppable_steps import StoppableSteps


class Loop(PPOTrainer):
    def step(self, metrics, timing_raw):
        return f"step {self.global_steps}"

    def on_step_end(self):
        pass

    def on_sample_end(self):
        pass


class Trainer(StoppableSteps, Loop):
    pass


@pytest.fixture
def trainer(tmp_path):
    (tmp_path / "logs").mkdir()
    trainer = object.__new__(Trainer)
    trainer.config = OmegaConf.create({"run_dir": str(tmp_path), "trainer": {"save_freq": -1}})
    OmegaConf.set_struct(trainer.config, True)
    trainer.global_steps, trainer.total_training_steps = 7, 100
    return trainer


def test_without_a_request_nothing_changes(trainer):
    assert trainer.step({}, {}) == "step 7"
    assert (trainer.config.trainer.save_freq, trainer.total_training_steps) == (-1, 100)


def test_a_request_makes_this_step_the_last_and_a_saved_one(trainer, tmp_path):
    save_request.ask(tmp_path)
    assert trainer.step({}, {}) == "step 7"
    assert (trainer.config.trainer.save_freq, trainer.total_training_steps) == (1, 7)


def test_the_supervisor_hears_once_that_training_has_begun(trainer, tmp_path):
    for _ in range(3):
        trainer.on_step_begin()
    lines = (tmp_path / "logs" / "events.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"event": "training"}]


def test_verls_loop_still_looks_at_both_after_the_step():
    source = inspect.getsource(PPOTrainer.fit)
    after_the_step = source[source.index("self.step(") :]
    assert "self.config.trainer.save_freq > 0 and (" in after_the_step
    assert "self.global_steps % self.config.trainer.save_freq == 0" in after_the_step
    assert "self.global_steps <= self.total_training_steps:" in source  # the loop's condition
    assert "is_last_step = self.global_steps >= self.total_training_steps" in source[: source.index("self.step(")]


@pytest.mark.parametrize("mode", ["gmpo", "colocate_async", "separate_async"])
def test_every_loop_can_be_stopped(mode):
    assert issubclass(get_trainer_cls(mode), StoppableSteps)
