"""The driver's end for what a user can get wrong: sentences on stderr, exit code 2, no traceback, nothing left."""

import os
import subprocess
import sys

import pytest


def drive(folder, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GMPO_")}
    return subprocess.run(
        [sys.executable, "-m", "gmpo_verl.trainer.driver", *arguments],
        cwd=folder,
        env={**environment, "GMPO_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["algorithm=gmop"], ["algorithm=gmop does not exist: did you mean gmpo?"]),
        (["trainer.save_frequency=5"], ["trainer.save_freq"]),
        (
            ["data.train_files=/nowhere/train.parquet", "trainer.save_freq=0", "actor_rollout_ref.rollout.n=1"],
            ["data.train_files=/nowhere/train.parquet", "trainer.save_freq=0", "actor_rollout_ref.rollout.n=1"],
        ),
    ],
)
def test_a_mistake_ends_with_2_and_sentences(tmp_path, arguments, expected):
    ended = drive(tmp_path, *arguments)
    assert ended.returncode == 2, ended.stderr
    for text in expected:
        assert text in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_ends_with_0_and_makes_nothing(tmp_path):
    ended = drive(tmp_path, "dry_run=true", "data.train_batch_size=32", "actor_rollout_ref.rollout.n=8")
    assert ended.returncode == 0, ended.stderr
    assert "32 prompts x 8 responses" in ended.stdout
    assert list(tmp_path.iterdir()) == []
