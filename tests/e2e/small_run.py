"""`python -m gmpo_verl.main_ppo` on a small, hardly warm-started job, run to its end."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SMALL = (
    "arithmetic.clean_steps=20",
    "arithmetic.slip_steps=0",
    "arithmetic.validation_size=16",
    "data.train_batch_size=8",
    "actor_rollout_ref.actor.ppo_mini_batch_size=4",
    "run_dir=run",
)


def train(folder: Path, *arguments: str, timeout: float = 500) -> subprocess.CompletedProcess[str]:
    """The command with `arguments`, in `folder`, its run directory being `folder`/run."""
    return run_python(folder, "-m", "gmpo_verl.main_ppo", *SMALL, *arguments, timeout=timeout)


def run_python(folder: Path, *arguments: str, timeout: float, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"HF_HUB_OFFLINE": "1"} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def metrics_rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]


def assert_trained(folder: Path, result: subprocess.CompletedProcess[str], steps: int) -> list[dict[str, Any]]:
    """It ended with 0 after `steps` steps whose rollouts came from the current weights; the steps' metrics."""
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    rows = [row for row in metrics_rows(folder) if row["step"] > 0]
    assert [row["step"] for row in rows] == list(range(1, steps + 1))
    for row in rows:
        correlation = row["data"]["training/rollout_actor_probs_pearson_corr"]
        # Of a round without any advantage so few tokens stay that there may be no correlation.
        assert correlation >= 0.99 or (math.isnan(correlation) and row["data"]["gmpo/zero_advantage_frac"] == 1)
        assert row["data"]["training/non_finite_update"] == 0
    return [row["data"] for row in rows]
