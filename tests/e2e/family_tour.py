"""One real run that takes up every `algorithm=` in turn, STEPS rounds each: Ray, vLLM and FSDP2 start only once.

    python family_tour.py OVERRIDE ...

What changes from one algorithm to the next is what its YAML changes: the loss in the workers and the advantage.
"""

import sys
from typing import Any

import ray
from omegaconf import OmegaConf, open_dict

from gmpo_verl.config.compose import compose
from gmpo_verl.supervisor.supervise import supervise
from gmpo_verl.trainer import driver, task_runner

STEPS = 5
# The annealed one first: its exponent counts the rounds of the run.
ALGORITHMS = (
    "power_mean",
    "gmpo",
    "grpo",
    "grpo_wide_clip",
    "dr_grpo",
    "gspo",
    "hmpo",
    "gmpo_seq_clip",
    "gmpo_no_clip",
    "gmpo_no_length_norm",
)


class TourRunner(task_runner.GMPOTaskRunner):
    def run(self, config: Any) -> None:
        from verl.trainer.ppo.v1.trainer_base import TRAINER_REGISTRY

        from gmpo_verl.trainer.gmpo_trainer import GMPOTrainer

        class TourTrainer(GMPOTrainer):
            def on_step_begin(self) -> None:
                super().on_step_begin()
                number, step = divmod(self.global_steps - 1, STEPS)
                if step == 0:
                    self._take_up(ALGORITHMS[number])

            def _take_up(self, algorithm: str) -> None:
                overrides = [*config.tour_overrides, f"trainer.total_training_steps={STEPS}"]
                theirs = compose([f"algorithm={algorithm}", *overrides])
                OmegaConf.resolve(theirs)
                with open_dict(self.config):
                    self.config.algorithm = theirs.algorithm
                    self.config.actor_rollout_ref.actor = theirs.actor_rollout_ref.actor
                self._send_loss()

        TRAINER_REGISTRY["gmpo"] = TourTrainer
        super().run(config)


def main(overrides: list[str]) -> int:
    start = driver.train

    def train(config: Any) -> None:
        with open_dict(config):
            config.tour_overrides = overrides
        start(config)

    driver.train = train
    task_runner.RemoteTaskRunner = ray.remote(num_cpus=1)(TourRunner)
    return driver.main([*overrides, f"trainer.total_training_steps={STEPS * len(ALGORITHMS)}"])


# Imported, not as __main__: Ray would pickle its classes by value, and they would see empty registries. The token comes
# first: Ray reads it where it is imported.
DRIVER = """
import sys
from gmpo_verl.config.compose import compose
from gmpo_verl.trainer.ray_cluster import before_ray_is_imported
before_ray_is_imported(compose(sys.argv[1:]))
import family_tour
sys.exit(family_tour.main(sys.argv[1:]))
"""

if __name__ == "__main__":
    sys.exit(supervise(sys.argv[1:], (sys.executable, "-c", DRIVER)))  # watched over as the command itself is
