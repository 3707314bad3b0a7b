"""verl's loop with checkpoints that can be trusted: none without room, each marked, what is superfluous removed."""

import os
from pathlib import Path
from typing import Any

from verl.trainer.ppo.checkpoint_callback import CheckpointCallback
from verl.trainer.ppo.v1 import PPOTrainer

from gmpo_verl.trainer.checkpoints.keeper import CheckpointKeeper
from gmpo_verl.trainer.guards import TrainingStoppedError
from gmpo_verl.trainer.metrics_log import MetricsLog
from gmpo_verl.trainer.preflight.checkpoints import expected_bytes
from gmpo_verl.trainer.status import notify_from_worker

_WEIGHTS_ONLY = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"  # which overrules the caller of torch.load


class CompletingCallback(CheckpointCallback):
    """Tells the keeper of each checkpoint, after the callback that the user has named has had its turn."""

    def __init__(self, users: CheckpointCallback, keeper: CheckpointKeeper) -> None:
        super().__init__(users.config)
        self._users, self._keeper = users, keeper

    def on_save(
        self, trainer: Any, global_step: int, checkpoint_dir: str, async_save: bool = False, **kwargs: Any
    ) -> None:
        self._users.on_save(trainer, global_step, checkpoint_dir, async_save, **kwargs)
        self._keeper.saved(global_step)


class CheckpointedSteps(PPOTrainer):
    """To stand before one of verl's trainers among a class's bases."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        contents = config.actor_rollout_ref.actor.checkpoint.save_contents
        self._checkpoints = CheckpointKeeper(
            Path(config.trainer.default_local_dir),
            config.trainer.keep_checkpoints,
            tuple(contents),
            expected_bytes(config),
            self._finish_dumps,
        )
        self.checkpoint_callback = CompletingCallback(self.checkpoint_callback, self._checkpoints)

    @property  # type: ignore[override]  # stands in for verl's Tracking
    def logger(self) -> MetricsLog:
        return self._logger

    @logger.setter
    def logger(self, tracking: Any) -> None:
        metrics = Path(self.config.run_dir) / "metrics.jsonl"
        self._logger = MetricsLog(tracking, metrics, self._checkpoints.row_written)

    def _load_checkpoint(self) -> None:
        # verl loads the state of the data loader, tensors and numbers, by a pickle that may run any code.
        before = os.environ.get(_WEIGHTS_ONLY)
        os.environ[_WEIGHTS_ONLY] = "1"
        try:
            super()._load_checkpoint()
        finally:
            if before is None:
                del os.environ[_WEIGHTS_ONLY]
            else:
                os.environ[_WEIGHTS_ONLY] = before

    def _save_checkpoint(self) -> None:
        """Raises TrainingStoppedError where the disk has no room for the last step's; an earlier one is left out."""
        if not (shortage := self._checkpoints.shortage()):
            super()._save_checkpoint()
        elif self.global_steps >= self.total_training_steps:
            raise TrainingStoppedError(
                f"step {self.global_steps}, the last, is not saved: {shortage}; free some and repeat the command"
            )
        else:
            self._warn(f"step {self.global_steps} is not saved: {shortage}; free some before the next")

    def _finish_dumps(self) -> None:
        """The step's rollouts are on disk, which verl writes in the background."""
        for dump in self._dump_futures:
            dump.result()

    def _warn(self, message: str) -> None:
        notify_from_worker(self.config.run_dir, "warning", message=message)
