"""verl's loop, which can be asked to save at the end of its step and to stop then (SIGUSR1 to the command)."""

from pathlib import Path
from typing import Any

from omegaconf import open_dict
from verl.trainer.ppo.v1 import PPOTrainer

from gmpo_verl.supervisor.save_request import is_asked
from gmpo_verl.trainer.status import notify_from_worker


class StoppableSteps(PPOTrainer):
    """To stand before one of verl's trainers among a class's bases."""

    _has_begun = False

    def on_step_begin(self) -> None:
        super().on_step_begin()
        if not self._has_begun:
            self._has_begun = True
            notify_from_worker(self.config.run_dir, "training")  # from now on there is something to save

    def step(self, metrics: dict[str, Any], timing_raw: dict[str, float]) -> Any:
        batch = super().step(metrics, timing_raw)
        if is_asked(Path(self.config.run_dir)):
            # verl's loop looks at both after each step: whether to save this one, and whether there is a next.
            with open_dict(self.config):
                self.config.trainer.save_freq = 1
            self.total_training_steps = self.global_steps
        return batch
