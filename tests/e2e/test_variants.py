"""Other data, other ranks, a reference model, other losses: three steps each of the real stack."""

import json
import math
from pathlib import Path

import pytest
from small_run import assert_trained, train

pytestmark = pytest.mark.e2e

STEPS = 3
THREE = (f"trainer.total_training_steps={STEPS}", f"trainer.test_freq={STEPS}")


def gsm8k_files(source: Path, folder: Path) -> tuple[Path, Path]:
    """Real word problems in verl's columns, some for training and others for validation."""
    datasets = pytest.importorskip("datasets")
    problems = datasets.load_from_disk(str(source / "understand_r1_zero" / "train" / "gsm_8k"))["train"]
    files = (folder / "train.parquet", folder / "validation.parquet")
    for file, rows in zip(files, (range(64), range(64, 72)), strict=True):
        datasets.Dataset.from_list([
            {
                "data_source": "gsm8k",
                "prompt": [{"role": "user", "content": problems[row]["problem"]}],
                "ability": "math",
                "reward_model": {"style": "rule", "ground_truth": problems[row]["answer"]},
                "extra_info": {"index": row},
            }
            for row in rows
        ]).to_parquet(str(file))  # fmt: skip
    return files


def test_real_word_problems_train_and_validate_graded_by_math_verify(shared_data, tmp_path):
    training, validation = gsm8k_files(shared_data, tmp_path)
    result = train(
        tmp_path,
        *THREE,
        f"data.train_files={training}",
        f"data.val_files={validation}",
        "data.max_prompt_length=1024",
        "data.max_response_length=32",
    )
    steps = assert_trained(tmp_path, result, STEPS)
    for step in steps:
        assert step["reward/timeout_frac"] + step["reward/error_frac"] == 0
        assert 0 <= step["reward/truncated_frac"] <= 1
    assert "val-core/gsm8k/acc/mean@4" in steps[-1]
    graded = [
        json.loads(line) for line in (tmp_path / "run" / "validation" / f"{STEPS}.jsonl").read_text().splitlines()
    ]
    assert len(graded) == 8 * 4
    assert all(row["score"] in (0, 1) and row["gts"] for row in graded)


@pytest.mark.timeout(900)
def test_two_ranks_two_rollout_servers_and_a_reference_model(tmp_path):
    options = ("trainer.n_gpus_per_node=2", "actor_rollout_ref.actor.use_kl_loss=True", "arithmetic.clean_steps=100")
    result = train(tmp_path, *THREE, *options)
    steps = assert_trained(tmp_path, result, STEPS)
    assert steps[0]["actor/kl_loss"] == pytest.approx(0, abs=1e-3)  # the reference is where training starts
    assert all(math.isfinite(step["actor/kl_loss"]) for step in steps)
    assert steps[0]["gmpo/zero_advantage_frac"] < 1  # so the policy moves, and leaves the reference
    assert steps[-1]["actor/kl_loss"] > 0


@pytest.mark.long
@pytest.mark.parametrize(
    "arguments",
    [
        ("algorithm=grpo",),
        ("actor_rollout_ref.actor.policy_loss.loss_mode=geo_mean",),
        ("actor_rollout_ref.actor.use_kl_loss=True",),
    ],
)
def test_other_losses_run(tmp_path, arguments):
    assert_trained(tmp_path, train(tmp_path, *THREE, *arguments), STEPS)
