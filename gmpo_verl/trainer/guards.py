"""Checks of a step's metrics that warn or stop a run before it trains nonsense."""

import math
from collections.abc import Callable, Mapping
from typing import Any

CORRELATION = "training/rollout_actor_probs_pearson_corr"
STALENESS = "training/off_policy/trajectory_staleness_worst/max"  # of the oldest weights that made one of its tokens
WARN_BELOW, STOP_BELOW = 0.95, 0.5
MAX_NON_FINITE_IN_A_ROW = 3


class TrainingStoppedError(RuntimeError):
    """A guard ended the run; the message is for the user."""


def check_rollout_weights(metrics: Mapping[str, Any], step: int, warn: Callable[[str], None]) -> None:
    """Rollouts of the current version must come from the current weights.

    A weight transfer that fails silently lets the loss fall all the same; the correlation of the probabilities that the
    rollout engine and the actor give to the same tokens shows it. Undefined (one token, no spread) is "not measured".
    Where a token is from older weights, as in the asynchronous modes, they may differ: only a warning, and a later one.

    Raises:
        TrainingStoppedError: the correlation is below 0.5, and all rollouts are of the current version.
    """
    correlation, versions = metrics.get(CORRELATION), int(metrics.get(STALENESS, 0))
    if correlation is None or not math.isfinite(correlation):
        return
    if versions > 0:
        if correlation < STOP_BELOW:
            warn(
                f"step {step}: {CORRELATION} = {correlation:.3f}, below {STOP_BELOW}, of rollouts by weights up to "
                f"{versions} versions old: lower actor_rollout_ref.actor.optim.lr or num_warmup_batches; where it "
                "falls from step to step, the weight transfer to the rollout engine is broken"
            )
        return
    if correlation < STOP_BELOW:
        raise TrainingStoppedError(
            f"step {step}: rollouts do not come from the actor's weights ({CORRELATION} = {correlation:.3f}, below "
            f"{STOP_BELOW}): the weight transfer to the rollout engine is broken"
        )
    if correlation < WARN_BELOW:
        warn(
            f"step {step}: {CORRELATION} = {correlation:.3f}, below {WARN_BELOW}: "
            "rollouts drift from the actor's weights"
        )


class NonFiniteGuard:
    """Counts rounds in which verl skipped an update because its gradient was not finite; three in a row end the run."""

    def __init__(self) -> None:
        self.in_a_row = 0

    def check(self, metrics: dict[str, Any], step: int, warn: Callable[[str], None]) -> None:
        """Add `training/non_finite_update` (0 or 1) to `metrics`. Raises TrainingStoppedError at the third in a row."""
        values = [metrics[key] for key in ("actor/grad_norm", "actor/pg_loss", "actor/loss") if key in metrics]
        non_finite = any(not math.isfinite(value) for value in values)
        metrics["training/non_finite_update"] = float(non_finite)
        self.in_a_row = self.in_a_row + 1 if non_finite else 0
        if not non_finite:
            return
        if self.in_a_row >= MAX_NON_FINITE_IN_A_ROW:
            raise TrainingStoppedError(
                f"step {step}: loss or gradient not finite in {self.in_a_row} rounds in a row; lower "
                "actor_rollout_ref.actor.optim.lr or resume from an earlier checkpoint"
            )
        warn(f"step {step}: loss or gradient not finite, the update was skipped")
