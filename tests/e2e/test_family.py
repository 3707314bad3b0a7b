"""Every algorithm trains in the real stack, and its metrics mean what their names say."""

import json
import math
import subprocess
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
from family_tour import ALGORITHMS, STEPS
from small_run import assert_trained, metrics_rows, run_python, train

from gmpo_verl.algorithms.annealing import annealed
from gmpo_verl.config.compose import group_options

pytestmark = pytest.mark.e2e

E2E = Path(__file__).parent
SETTINGS = (
    "arithmetic.validation_size=16",
    "data.train_batch_size=8",
    "actor_rollout_ref.actor.ppo_mini_batch_size=2",
    "actor_rollout_ref.actor.ppo_max_token_len_per_gpu=64",  # several micro-batches a mini-batch
    "actor_rollout_ref.actor.optim.lr=2e-4",  # ratios leave windows, and the policy lasts 50 rounds of it
    "actor_rollout_ref.actor.optim.lr_warmup_steps=0",
    "trainer.test_freq=-1",
    "trainer.save_freq=-1",
    "trainer.val_before_train=false",
    "trainer.kl_to_ref=true",
)


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("tour")
    # Ray's workers find the tour's classes by the name of their module.
    script = [str(E2E / "family_tour.py"), *SETTINGS, "run_dir=run"]
    return folder, run_python(folder, *script, timeout=900, PYTHONPATH=str(E2E))


def steps_of(folder: Path, algorithm: str) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """(metrics, rollout rows) of each of an algorithm's rounds."""
    first = ALGORITHMS.index(algorithm) * STEPS + 1
    metrics = {row["step"]: row["data"] for row in metrics_rows(folder)}
    rounds = range(first, first + STEPS)
    files = [(folder / "run" / "rollouts" / f"{step}.jsonl").read_text().splitlines() for step in rounds]
    return [(metrics[step], list(map(json.loads, lines))) for step, lines in zip(rounds, files, strict=True)]


def updated(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The responses that took part in the update."""
    return [row for row in rows if row.get("length") is not None]


def test_the_tour_has_every_algorithm():
    assert sorted(ALGORITHMS) == group_options("algorithm")


def test_every_algorithm_trains(tour):
    steps = assert_trained(*tour, STEPS * len(ALGORITHMS))
    assert all(math.isfinite(step["actor/grad_norm"]) for step in steps)
    assert all((step["actor/grad_norm"] > 0) == (step["gmpo/zero_advantage_frac"] < 1) for step in steps)
    for algorithm in ALGORITHMS:
        assert any(metrics["actor/grad_norm"] > 0 for metrics, _ in steps_of(tour[0], algorithm)), algorithm


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_metrics_are_what_the_rollout_dump_adds_up_to(tour, algorithm):
    for metrics, responses in steps_of(tour[0], algorithm):
        assert len(responses) == 64
        rows = updated(responses)
        tokens = sum(row["length"] for row in rows)
        seq_ratios = [math.exp(row["log_ratio_sum"] / row["length"]) for row in rows]
        expected = {
            "gmpo/log_ratio_max": max(row["log_ratio_max"] for row in rows),
            "gmpo/log_ratio_min": min(row["log_ratio_min"] for row in rows),
            "gmpo/seq_ratio_mean": mean(seq_ratios),
            "gmpo/seq_ratio_max": max(seq_ratios),
            "gmpo/seq_ratio_min": min(seq_ratios),
            "gmpo/zero_advantage_frac": mean(row["advantage"] == 0 for row in responses),
            "gmpo/pruned_frac": 1 - len(rows) / len(responses),
            "actor/ppo_kl": -sum(row["log_ratio_sum"] for row in rows) / tokens,
        }
        if algorithm != "gspo":
            expected["gmpo/clip_frac_high"] = sum(row["clipped_high"] for row in rows) / tokens
            expected["gmpo/clip_frac_low"] = sum(row["clipped_low"] for row in rows) / tokens
            expected["gmpo/clamped_frac"] = mean(row["clamped"] for row in rows)
        assert {name: metrics[name] for name in expected} == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_what_leaves_a_round_has_no_advantage_and_is_most_of_what_has_none(tour):
    for algorithm in ALGORITHMS:
        for _, responses in steps_of(tour[0], algorithm):
            rows, left = updated(responses), [row for row in responses if row.get("length") is None]
            assert all(row["advantage"] == 0 for row in left)
            assert len(rows) % 4 == 0  # the optimizer steps of a round
            assert sum(row["advantage"] == 0 for row in rows) < 4 or not any(row["advantage"] for row in rows)


@pytest.mark.parametrize("algorithm", ["gmpo", "dr_grpo"])
def test_the_advantage_is_the_group_normalised_reward(tour, algorithm):
    for _, rows in steps_of(tour[0], algorithm):
        groups = defaultdict(list)
        for row in rows:
            groups[row["uid"].rsplit("_", 2)[0]].append(row)
        assert len(groups) == 8
        for group in groups.values():
            rewards = [row["score"] for row in group]
            spread = 1.0 if algorithm == "dr_grpo" else stdev(rewards) + 1e-6
            expected = [(reward - mean(rewards)) / spread if stdev(rewards) else 0.0 for reward in rewards]
            assert [row["advantage"] for row in group] == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_a_clip_binds_on_the_side_of_the_advantage_alone(tour):
    rows = [
        row
        for algorithm in ALGORITHMS
        if algorithm != "gspo"
        for _, r in steps_of(tour[0], algorithm)
        for row in updated(r)
    ]
    assert sum(row["clipped_high"] + row["clipped_low"] for row in rows) > 0
    assert all(row["advantage"] > 0 for row in rows if row["clipped_high"])
    assert all(row["advantage"] < 0 for row in rows if row["clipped_low"])
    no_clip = [row for _, rows in steps_of(tour[0], "gmpo_no_clip") for row in updated(rows)]
    assert not any(row["clipped_high"] or row["clipped_low"] for row in no_clip)


def test_the_exponent_is_annealed(tour):
    exponents = [metrics["gmpo/mean_exponent"] for metrics, _ in steps_of(tour[0], "power_mean")]
    assert exponents == [annealed(2.0, -2.0, STEPS, step) for step in range(1, STEPS + 1)]


def test_the_divergence_from_the_reference_starts_at_zero_and_grows(tour):
    divergences = [row["data"]["gmpo/kl_to_ref"] for row in metrics_rows(tour[0]) if row["step"] > 0]
    assert divergences[0] == pytest.approx(0, abs=1e-6)
    assert all(divergence > 0 for divergence in divergences[1:])
    assert "actor/kl_loss" not in metrics_rows(tour[0])[-1]["data"]


@pytest.mark.long
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_command_trains_with_each_algorithm(tmp_path, algorithm):
    arguments = (f"algorithm={algorithm}", f"trainer.total_training_steps={STEPS}", f"trainer.test_freq={STEPS}")
    assert_trained(tmp_path, train(tmp_path, *arguments), STEPS)
