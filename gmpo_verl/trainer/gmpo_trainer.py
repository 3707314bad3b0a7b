"""The trainers: verl's three loops with this package's steps. Importing this module registers them.

verl's words choose them, so that what verl says of a mode and its options (`trainer.v1.colocate_async.*`) holds here;
`gmpo` is another word for `sync`.
"""

from verl.trainer.ppo.v1 import PPOTrainerColocateAsync, PPOTrainerSeparateAsync, PPOTrainerSync
from verl.trainer.ppo.v1.trainer_base import TRAINER_REGISTRY

from gmpo_verl.trainer.gmpo_steps import GMPOSteps


class GMPOTrainer(GMPOSteps, PPOTrainerSync):
    """Rollouts of the current weights, all of them finished before the update."""

    @property
    def trainer_mode(self) -> str:
        return "sync"  # verl asks for this very word to know that rollouts are of the current version

    @trainer_mode.setter
    def trainer_mode(self, _: str) -> None:
        pass


class GMPOTrainerColocateAsync(GMPOSteps, PPOTrainerColocateAsync):
    """Rollouts run ahead and are interrupted for an update, on the same devices."""


class GMPOTrainerSeparateAsync(GMPOSteps, PPOTrainerSeparateAsync):
    """Rollouts run ahead on devices of their own, interrupted for new weights alone."""


# Not through `register_trainer`, which leaves verl's words to verl's trainers: these keep no metrics.jsonl, by which a
# run counts as trained.
TRAINER_REGISTRY.update(
    gmpo=GMPOTrainer,
    sync=GMPOTrainer,
    colocate_async=GMPOTrainerColocateAsync,
    separate_async=GMPOTrainerSeparateAsync,
)
