"""An evaluation dealt out to the two nodes of a real Slurm gives what one machine gives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from slurm_cluster import SlurmCluster
from slurm_user import assert_nothing_is_left, submit_script

from gmpo_verl.data.arithmetic import ArithmeticTask, prepare

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


def test_two_nodes_answer_a_share_each_and_the_result_is_one_machines(cluster: SlurmCluster, folder: Path) -> None:
    task = prepare(ArithmeticTask(clean_steps=200, slip_steps=0))
    options = ("--model", str(task.model), "--data", str(task.validation), "--max-tokens", "8", "--n", "2")
    options += ("--temperature", "1")
    here, there = folder / "here", folder / "there"
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "gmpo_verl.evaluate", *options, "--out", str(here)]
    subprocess.run(command, env=environment, check=True, timeout=300, cwd=folder)
    arguments = (*options, "--out", str(there))
    job = submit_script("evaluate.sbatch", cluster, folder / "job", *arguments, OMP_NUM_THREADS="1")
    assert job.wait(600) == "COMPLETED", job.output
    assert job.show()["ExitCode"] == "0:0"
    assert job.output.count("starting vLLM for 128 answers") == len(cluster.nodes)
    assert_nothing_is_left(cluster)
    for name in ("verdicts.jsonl", "results.md"):
        assert (there / name).read_text() == (here / name).read_text()
