"""Rollouts that run ahead of the training, on the same devices and on devices of their own: a few real rounds each."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from small_run import metrics_rows, train

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

CORRELATION = "training/rollout_actor_probs_pearson_corr"
STALENESS = "training/off_policy/trajectory_staleness_worst/max"
RESPONSES = 8 * 8  # of a round
# The recipe's model, which answers some problems and not others, and no warm-up: every round's ratios move.
LEARNS = ("arithmetic.clean_steps=400", "arithmetic.slip_steps=150", "actor_rollout_ref.actor.optim.lr_warmup_steps=0")
COLOCATE = (*LEARNS, "trainer.v1.trainer_mode=colocate_async", "trainer.kl_to_ref=true")
SEPARATE = (
    *LEARNS,
    "trainer.v1.trainer_mode=separate_async",
    "trainer.v1.separate_async.parameter_sync_step=2",
    "actor_rollout_ref.rollout.nnodes=1",
    "actor_rollout_ref.rollout.checkpoint_engine.backend=zmq",
    "ray_kwargs.ray_init.num_gpus=2",
)
SEQUENCE_WEIGHTS = "algorithm.rollout_correction.rollout_is=sequence"


def trained(folder: Path, result: subprocess.CompletedProcess[str], steps: int) -> list[dict[str, Any]]:
    """The metrics of each step of a run that ended well; fresh rollouts came from the current weights."""
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    rows = [row for row in metrics_rows(folder) if row["step"] > 0]
    assert [row["step"] for row in rows] == list(range(1, steps + 1))
    for row in rows:
        assert row["data"]["training/non_finite_update"] == 0
        assert row["data"][CORRELATION] >= (0.5 if row["data"][STALENESS] > 0 else 0.99)
    return [row["data"] for row in rows]


def assert_says_what_the_updates_did(folder: Path, steps: list[dict[str, Any]]) -> None:
    """The exact metrics of each round are those of its dumped responses, one update each."""
    for number, metrics in enumerate(steps, start=1):
        lines = (folder / "run" / "rollouts" / f"{number}.jsonl").read_text().splitlines()
        responses = [json.loads(line) for line in lines]
        assert len({response["uid"] for response in responses}) == len(responses) == RESPONSES
        updated = [response for response in responses if response["length"] is not None]
        tokens = sum(response["length"] for response in updated)
        expected = {
            "gmpo/pruned_frac": 1 - len(updated) / RESPONSES,
            "gmpo/zero_advantage_frac": sum(response["advantage"] == 0 for response in responses) / RESPONSES,
            "gmpo/log_ratio_max": max(response["log_ratio_max"] for response in updated),
            "gmpo/log_ratio_min": min(response["log_ratio_min"] for response in updated),
            "gmpo/clip_frac_low": sum(response["clipped_low"] for response in updated) / tokens,
            "gmpo/clip_frac_high": sum(response["clipped_high"] for response in updated) / tokens,
        }
        assert {name: metrics.get(name, 0.0) for name in expected} == pytest.approx(expected)
        # The second mini-batch is trained against the weights of the round's beginning.
        assert metrics["gmpo/log_ratio_max"] - metrics["gmpo/log_ratio_min"] > 1e-3


def test_colocated_rollouts_train_resume_and_measure_their_distance(tmp_path):
    options = (*COLOCATE, "trainer.test_freq=2", "trainer.save_freq=2")
    trained(tmp_path, train(tmp_path, *options, "trainer.total_training_steps=2"), 2)
    steps = trained(tmp_path, train(tmp_path, *options, "trainer.total_training_steps=4"), 4)
    assert_says_what_the_updates_did(tmp_path, steps)
    assert max(step[STALENESS] for step in steps) >= 1
    assert 0 <= steps[0]["gmpo/kl_to_ref"] < 1e-4 < steps[-1]["gmpo/kl_to_ref"]


def test_separate_rollouts_train_with_weights_that_arrive(tmp_path):
    result = train(tmp_path, *SEPARATE, "trainer.total_training_steps=4", "trainer.test_freq=4", "trainer.save_freq=-1")
    steps = trained(tmp_path, result, 4)
    assert_says_what_the_updates_did(tmp_path, steps)
    assert max(step[STALENESS] for step in steps) >= 1


def test_separate_rollouts_that_never_run_ahead_are_fresh_and_come_from_the_current_weights(tmp_path):
    result = train(
        tmp_path,
        *SEPARATE,
        "trainer.v1.separate_async.num_warmup_batches=0",
        "trainer.total_training_steps=4",
        "trainer.test_freq=-1",
        "trainer.save_freq=-1",
    )
    steps = trained(tmp_path, result, 4)
    assert [step[STALENESS] for step in steps] == [0, 0, 0, 0]


@pytest.mark.long
@pytest.mark.parametrize("mode", [COLOCATE, SEPARATE])
def test_stale_rollouts_are_weighted(tmp_path, mode):
    options = (*mode, SEQUENCE_WEIGHTS, "trainer.test_freq=-1", "trainer.save_freq=-1")
    steps = trained(tmp_path, train(tmp_path, *options, "trainer.total_training_steps=4"), 4)
    assert all(0 < step["rollout_corr/rollout_is_mean"] <= 2 for step in steps)
