"""Kills at random moments, stops half-way, other numbers of ranks, a full disk. Half an hour; -s shows the figures."""

import json
import os
import random
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from killed_run import KilledRun
from small_run import SMALL, assert_trained, run_python, train

from gmpo_verl.trainer.checkpoints import resume_point
from gmpo_verl.trainer.checkpoints.markers import flaw, folder_of, newest_complete
from gmpo_verl.trainer.run_metrics import metrics_rows, validation_accuracy

pytestmark = [pytest.mark.e2e, pytest.mark.long]

KILLS = 20
START_UP = 20.0  # seconds, about; a quarter of the kills falls into it
TRAINING = 6.0  # seconds of training, several steps, into which the others fall
SAVE_EVERY_STEP = (
    "algorithm=gmpo",
    "actor_rollout_ref.actor.entropy_coeff=0.01",  # something to learn for a model that gets no answer right
    "trainer.save_freq=1",
    "trainer.test_freq=-1",
    "trainer.val_before_train=false",
)
SEEDS = (0, 1, 2)
NOISE = 0.15  # of the mean accuracy over three seeds, of 512 answers each


def test_20_kills_at_random_moments_lose_one_step_each_at_most(tmp_path: Path) -> None:
    seed = int(os.environ.get("GMPO_TEST_SEED") or random.randrange(10**6))
    print(f"\nGMPO_TEST_SEED={seed}")
    chance, run_dir, resumed_from = random.Random(seed), tmp_path / "run", 0
    checkpoints, metrics = run_dir / "checkpoints", run_dir / "metrics.jsonl"
    for kill in range(KILLS + 1):
        with KilledRun(tmp_path, *SMALL, *SAVE_EVERY_STEP, "trainer.total_training_steps=1000") as run:
            moment = "the end"
            if kill < KILLS and chance.random() < 0.25:
                seconds = chance.uniform(0, START_UP)
                run.kill_when(lambda end=run.began + seconds: time.monotonic() > end)
                moment = f"{seconds:.1f} s after the start"
            else:
                run.wait_for(lambda before=resumed_from: newest_complete(checkpoints) > before)
                assert resumed_from == 0 or f"resuming at step {resumed_from + 1}" in run.text()
                end = time.monotonic() + (seconds := chance.uniform(0, TRAINING))
                run.kill_when(lambda end=end: time.monotonic() > end)
                moment = f"{seconds:.1f} s after its first checkpoint"
        steps = [row["step"] for row in metrics_rows(metrics)]
        assert steps == list(range(1, len(steps) + 1))
        point = resume_point.find(checkpoints, metrics)
        print(f"kill {kill}, {moment}: {len(steps)} steps logged, goes on after {point.step}; {point.skipped or ''}")
        assert len(steps) - 1 <= point.step <= len(steps)
        assert point.step >= resumed_from
        resumed_from = point.step


@pytest.fixture(scope="module")
def halves_and_wholes(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Path, Path]]:
    """By the seed: a run of 20 steps in one go, and one that was killed after its tenth and resumed."""
    runs = {}
    for seed in SEEDS:
        folders = [tmp_path_factory.mktemp(f"{name}-{seed}") for name in ("whole", "halves")]
        arguments = (f"seed={seed}", "run_dir=run", "trainer.total_training_steps=20", "trainer.save_freq=10")
        with KilledRun(folders[1], *arguments) as run:
            run.kill_when(lambda done=folders[1] / "run" / "checkpoints": newest_complete(done) == 10)
        for folder in folders:
            result = run_python(folder, "-m", "gmpo_verl.main_ppo", *arguments, timeout=900)
            assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
        runs[seed] = (folders[0] / "run", folders[1] / "run")
    return runs


def test_10_steps_and_10_more_are_like_20(halves_and_wholes: dict[int, tuple[Path, Path]]) -> None:
    ends: list[tuple[float, float]] = []
    for seed, runs in halves_and_wholes.items():
        rows = [list(metrics_rows(run / "metrics.jsonl")) for run in runs]
        assert [[row["step"] for row in found] for found in rows] == [list(range(21))] * 2
        for step in range(1, 21):
            assert prompts(runs[0], step) == prompts(runs[1], step)
        rates = [[row["data"]["actor/lr"] for row in found[1:]] for found in rows]
        assert rates[0] == rates[1]
        accuracies = [[validation_accuracy(found[step]["data"]) for step in (0, 10, 20)] for found in rows]
        print(f"\nseed {seed}: accuracy at steps 0, 10, 20: in one go {accuracies[0]}, in two {accuracies[1]}")
        ends.append((accuracies[0][-1] or 0.0, accuracies[1][-1] or 0.0))
    whole, halves = (statistics.fmean(values) for values in zip(*ends, strict=True))
    print(f"mean at step 20: in one go {whole:.3f}, in two {halves:.3f}")
    assert abs(whole - halves) < NOISE


def test_a_run_goes_on_with_more_and_with_fewer_ranks(tmp_path: Path) -> None:
    for ranks, steps in ((1, 2), (2, 4), (1, 6)):
        asked = (f"trainer.n_gpus_per_node={ranks}", f"trainer.total_training_steps={steps}")
        result = train(tmp_path, *SAVE_EVERY_STEP, *asked)
        rows = assert_trained(tmp_path, result, steps)
        print(f"\n{ranks} ranks up to step {steps}: {[round(row['actor/grad_norm'], 3) for row in rows]}")
    actor = tmp_path / "run" / "checkpoints" / "global_step_6" / "actor"
    assert json.loads((actor / "fsdp_config.json").read_text())["world_size"] == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """With room for one checkpoint of the small job, 5.6 MB, and not for two."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=9m", "tmpfs", folder], check=False)
    if mounted.returncode != 0:
        pytest.skip("a small disk cannot be mounted here: needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_seen_before_a_save_and_harms_no_checkpoint(small_disk: Path, tmp_path: Path) -> None:
    checkpoints = small_disk / "checkpoints"
    options = (*SAVE_EVERY_STEP, f"trainer.default_local_dir={checkpoints}", "trainer.total_training_steps=3")
    result = train(tmp_path, *options)
    output = result.stdout + result.stderr
    assert result.returncode == 1, output[-3000:]
    assert "step 2 is not saved: a checkpoint takes 5.9 MB and" in output
    assert "step 3, the last, is not saved" in output and "free some and repeat the command" in output
    assert newest_complete(checkpoints) == 1 and flaw(folder_of(checkpoints, 1)) == ""
    subprocess.run(["mount", "-o", "remount,size=100m", small_disk], check=True)
    assert_trained(tmp_path, train(tmp_path, *options), 3)


def prompts(run_dir: Path, step: int) -> list[str]:
    lines = (run_dir / "rollouts" / f"{step}.jsonl").read_text().splitlines()
    return sorted(json.loads(line)["input"] for line in lines)
