"""An answer that cannot be graded gets the reward 0; a batch of many such answers teaches nothing."""

from collections.abc import Callable, Sequence
from typing import Any

from gmpo_verl.trainer.guards import TrainingStoppedError
from gmpo_verl.trainer.reward_metrics import graded_rows

WARN_ABOVE, STOP_ABOVE = 0.2, 0.8
MAX_EXAMPLES = 3


def check_grading(extra_fields: Sequence[Any], step: int, warn: Callable[[str], None]) -> None:
    """Warn with examples where more than 20 % of a batch's answers timed out or failed while they were graded.

    Args:
        extra_fields: verl's fields of each response, as `reward_fractions` gets them; the examples are the texts that
            `rewards.manager` leaves in the rows under `grading_failure`.

    Raises:
        TrainingStoppedError: more than 80 %.
    """
    rows = graded_rows(extra_fields)
    timeouts = sum(bool(row.get("timed_out")) for row in rows)
    failed = [row for row in rows if row.get("timed_out") or row.get("error")]
    if not rows or len(failed) <= WARN_ABOVE * len(rows):
        return
    examples = list(dict.fromkeys(text for row in failed if (text := row.get("grading_failure"))))[:MAX_EXAMPLES]
    message = (
        f"step {step}: {len(failed)} of {len(rows)} answers could not be graded ({timeouts} at the deadline), so their "
        "reward is 0" + (f", for example {'; '.join(examples)}" if examples else "")
    )
    if len(failed) > STOP_ABOVE * len(rows):
        raise TrainingStoppedError(
            f"{message}: look at reward_model.ground_truth in data.train_files, and whether math-verify can be imported"
        )
    warn(message)
