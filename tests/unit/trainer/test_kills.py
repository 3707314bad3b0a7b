"""kill -9 at any moment of saving, logging, marking and removing; tests/e2e/test_resume_long.py kills real runs."""

import random
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import saving_loop

from gmpo_verl.trainer.checkpoints import resume_point
from gmpo_verl.trainer.run_metrics import metrics_rows

KILLS = 25
LONGEST = 0.25  # seconds from the start of its loop to the end of a process: a few steps


def test_a_kill_loses_one_step_at_most_and_metrics_have_each_once(tmp_path):
    chance, last = random.Random(1), 0
    checkpoints, metrics = tmp_path / "checkpoints", tmp_path / "metrics.jsonl"
    for _ in range(KILLS):
        began_after = run_and_kill(tmp_path, chance.uniform(0, LONGEST))
        assert began_after == last
        steps = [row["step"] for row in metrics_rows(metrics)]
        assert steps == list(range(1, len(steps) + 1))
        point = resume_point.find(checkpoints, metrics)
        assert max(last, len(steps) - 1) <= point.step <= len(steps)
        last = point.step
        if last:
            assert saved_step(checkpoints / f"global_step_{last}") == {str(last)}
    assert last > 5
    # Two of the last, the best, and what was being saved or removed when the last kill came.
    assert len(list(checkpoints.glob("global_step_*"))) <= 5


def run_and_kill(run_dir: Path, seconds: float) -> int:
    """The step after which the process began."""
    with subprocess.Popen(
        [sys.executable, saving_loop.__file__, str(run_dir)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        began_after = int(process.stdout.readline())
        time.sleep(seconds)
        process.kill()
    return began_after


def saved_step(folder: Path) -> set[str]:
    """What the files of a checkpoint say that they are of."""
    files = list(folder.rglob("*.pt"))
    assert len(files) == 3 * saving_loop.RANKS + 1
    return {zipfile.ZipFile(file).read("step").decode() for file in files}
