"""The trainer `gmpo`: verl's synchronous trainer with its guards and its metrics file."""

from pathlib import Path
from typing import Any

from verl.trainer.ppo.v1 import PPOTrainerSync, register_trainer

from gmpo_verl.trainer.guards import NonFiniteGuard, check_rollout_weights
from gmpo_verl.trainer.metrics_log import MetricsLog
from gmpo_verl.trainer.status import notify_from_worker


@register_trainer("gmpo")
class GMPOTrainer(PPOTrainerSync):
    """PPOTrainerSync, stopped when its rollouts or its gradients cannot be trusted."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._non_finite = NonFiniteGuard()

    @property
    def trainer_mode(self) -> str:
        return "sync"  # verl asks for this very word to know that rollouts are of the current version

    @trainer_mode.setter
    def trainer_mode(self, _: str) -> None:
        pass

    @property
    def logger(self) -> MetricsLog:
        return self._logger

    @logger.setter
    def logger(self, tracking: Any) -> None:
        self._logger = MetricsLog(tracking, Path(self.config.run_dir) / "metrics.jsonl")

    def _update_actor(self, batch: Any, metrics: dict[str, Any]) -> Any:
        batch = super()._update_actor(batch, metrics)
        self._non_finite.check(metrics, self.global_steps, self._warn)
        return batch

    def _compute_metrics(self, batch: Any, metrics: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        super()._compute_metrics(batch, metrics, *args, **kwargs)
        check_rollout_weights(metrics, self.global_steps, self._warn)

    def _warn(self, message: str) -> None:
        notify_from_worker(self.config.run_dir, "warning", message=message)
