"""A run that is killed goes on as if nothing had happened. The real stack, two minutes together."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from killed_run import KilledRun
from same_state import same
from small_run import SMALL, metrics_rows, run_python

from gmpo_verl.trainer.checkpoints.markers import newest_complete

pytestmark = pytest.mark.e2e

STEPS, KILLED_AFTER = 6, 3
PROBE = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
OPTIONS = (
    *SMALL,
    "algorithm=gmpo",
    "actor_rollout_ref.actor.optim.lr_warmup_steps=8",
    "actor_rollout_ref.actor.entropy_coeff=0.01",  # something to learn for a model that gets no answer right
    "actor_rollout_ref.model.external_lib=[gmpo_verl.worker,resume_probe]",
    "trainer.save_freq=1",
    "trainer.test_freq=3",
    "trainer.keep_checkpoints=2",
)
ASKED = f"trainer.total_training_steps={STEPS}"


def train(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_python(folder, "-m", "gmpo_verl.main_ppo", *OPTIONS, *arguments, timeout=500, PYTHONPATH=PROBE)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    result = train(folder, ASKED)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str], dict[str, int]]:
    """The same run, killed and resumed; and when the files of its validations were written before that."""
    folder = tmp_path_factory.mktemp("resumed")
    with KilledRun(folder, *OPTIONS, ASKED, PYTHONPATH=PROBE) as run:
        run.kill_when(lambda: newest_complete(folder / "run" / "checkpoints") >= KILLED_AFTER)
    half = folder / "run" / "checkpoints" / "global_step_99" / "actor"
    half.mkdir(parents=True)  # as of a kill in the middle of a save
    (half / "model_world_size_1_rank_0.pt").write_bytes(b"PK half")
    validated = {path.name: path.stat().st_mtime_ns for path in (folder / "run" / "validation").iterdir()}
    return folder, train(folder, ASKED), validated


def test_it_trains_the_rest_and_says_what_it_does_not_resume_from(resumed):
    folder, result, _ = resumed
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert "global_step_99 is not resumed from: it has no COMPLETE marker" in result.stderr
    assert not (folder / "run" / "checkpoints" / "global_step_99").exists()
    assert "resuming at step" in result.stdout + result.stderr


def test_its_metrics_have_every_step_once(resumed):
    assert [row["step"] for row in metrics_rows(resumed[0])] == list(range(STEPS + 1))


def test_it_goes_through_the_same_prompts_in_the_same_order(undisturbed, resumed):
    for step in range(1, STEPS + 1):
        assert prompts(resumed[0], step) == prompts(undisturbed, step)
    assert prompts(undisturbed, 1) != prompts(undisturbed, 2)


def test_its_learning_rate_follows_the_same_schedule(undisturbed, resumed):
    rates = [[row["data"]["actor/lr"] for row in metrics_rows(run)[1:]] for run in (undisturbed, resumed[0])]
    assert rates[0] == rates[1]
    assert len(set(rates[0])) == STEPS  # all of them in the warm-up


def test_it_validates_where_the_undisturbed_run_does_and_nothing_twice(undisturbed, resumed):
    folder, _, before = resumed
    validated = [[row["step"] for row in metrics_rows(run) if accuracy(row)] for run in (undisturbed, folder)]
    assert validated == [[0, 3, 6], [0, 3, 6]]
    assert {"0.jsonl", "3.jsonl"} <= before.keys()
    for name in ("0.jsonl", "3.jsonl"):
        assert (folder / "run" / "validation" / name).stat().st_mtime_ns == before[name]


def test_weights_and_optimizer_are_loaded_bit_for_bit(undisturbed, resumed, tmp_path):
    """The extension of the undisturbed run, whose last checkpoint is still there."""
    result = train(undisturbed, f"trainer.total_training_steps={STEPS + 1}")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    saved = undisturbed / "run" / "checkpoints" / f"global_step_{STEPS}" / "actor"
    loaded = load(undisturbed / "run" / "loaded_0.pt")
    for part in ("model", "optim"):
        assert same(loaded[part], load(saved / f"{part}_world_size_1_rank_0.pt")), part
    assert any(state["exp_avg"].to_local().abs().max() > 0 for state in loaded["optim"]["state"].values())


def prompts(folder: Path, step: int) -> list[str]:
    lines = (folder / "run" / "rollouts" / f"{step}.jsonl").read_text().splitlines()
    return sorted(json.loads(line)["input"] for line in lines)


def accuracy(row: dict) -> bool:
    return any(key.startswith("val-core/") for key in row["data"])


def load(file: Path) -> dict:
    return torch.load(os.fspath(file), weights_only=True, map_location="cpu")
