"""The README's training command, cut to a few steps: the real Ray, vLLM server, FSDP2 engine and reward."""

import json
import subprocess
from pathlib import Path

import pytest
from small_run import assert_trained, metrics_rows, train

pytestmark = pytest.mark.e2e

STEPS = 4
EVERY_SECOND = ("trainer.save_freq=2", "trainer.test_freq=2")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("run")
    return folder, train(folder, "algorithm=gmpo", *EVERY_SECOND, f"trainer.total_training_steps={STEPS}")


def test_trains_the_asked_for_steps_and_ends_with_0(run):
    assert_trained(*run, STEPS)


def test_the_run_directory_is_complete(run):
    folder = run[0] / "run"
    assert json.loads((folder / "finished.json").read_text())["step"] == STEPS
    assert (folder / "checkpoints" / f"global_step_{STEPS}" / "actor").is_dir()
    for name in ("config.yaml", "logs/driver.log", f"rollouts/{STEPS}.jsonl", f"validation/{STEPS}.jsonl"):
        assert (folder / name).is_file(), name


def test_the_summary_names_accuracy_places_and_a_next_command(run):
    output = run[1].stdout + run[1].stderr
    for text in ("val-core/arithmetic/acc/mean@4", "metrics.jsonl", "python -m gmpo_verl.main_ppo"):
        assert text in output


def test_a_finished_run_says_so_and_ends_with_0(run):
    folder = run[0]
    result = train(folder, "algorithm=gmpo", *EVERY_SECOND, f"trainer.total_training_steps={STEPS}")
    assert result.returncode == 0
    assert "trainer.total_training_steps=" in result.stdout + result.stderr
    assert len(metrics_rows(folder)) == STEPS + 1


def test_asked_for_more_steps_it_trains_the_rest(run):
    folder = run[0]
    result = train(folder, "algorithm=gmpo", *EVERY_SECOND, f"trainer.total_training_steps={STEPS + 1}")
    assert_trained(folder, result, STEPS + 1)
    assert json.loads((folder / "run" / "finished.json").read_text())["step"] == STEPS + 1
