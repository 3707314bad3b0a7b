"""Jobs of a real Slurm that end before they train: what the user reads, the state, and what stays on the nodes."""

import time
from pathlib import Path

import pytest
from slurm_cluster import SlurmCluster, slurmd_of
from slurm_user import assert_nothing_is_left, logs_of, submit

NO_DATA = "data.train_files=/nowhere.parquet"  # found out when all nodes are there and the training begins

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


def test_a_wrong_option_ends_the_job_with_2_and_one_sentence(cluster: SlurmCluster, folder: Path) -> None:
    job = submit(cluster, folder, "algorithm=gmop")
    assert job.wait(60) == "FAILED" and job.show()["ExitCode"] == "2:0"
    assert job.output.count("algorithm=gmop does not exist: did you mean gmpo?") == 1
    assert_nothing_is_left(cluster)


def test_two_jobs_share_the_nodes(cluster: SlurmCluster, folder: Path) -> None:
    jobs = [submit(cluster, folder / str(number), NO_DATA) for number in range(2)]
    for job in jobs:
        assert job.wait(240) == "FAILED" and job.show()["ExitCode"] == "2:0", job.output
        assert "data.train_files=/nowhere.parquet does not exist" in job.output
        assert not (logs_of(job) / "token").exists()
    assert_nothing_is_left(cluster)


def test_a_node_that_never_comes_ends_the_job_in_time_with_its_name(cluster: SlurmCluster, folder: Path) -> None:
    slurmd = slurmd_of(cluster.node("n2"))
    slurmd.suspend()
    try:
        job = submit(cluster, folder, GMPO_NODES_SECONDS="40")
        job.wait_until(lambda: "ended with exit code 1" in job.output, 200)
    finally:
        slurmd.resume()
        slurmd.parent().resume()  # nsenter, which stops with its child
    assert job.wait(120) == "FAILED" and job.show()["ExitCode"] == "1:0"
    assert "slurm: n1: 1 of 2 nodes came" in job.output and "not n2: look at the logs" in job.output
    assert_nothing_is_left(cluster)


def test_scancel_while_nodes_are_awaited_leaves_nothing(cluster: SlurmCluster, folder: Path) -> None:
    job = submit(cluster, folder, sbatch=["--nodelist=n1,n2"])
    job.wait_until(lambda: (logs_of(job) / "n1.log").exists(), 60)
    time.sleep(5)
    job.cancel()
    assert job.wait(60) == "CANCELLED"
    assert "attempt 0 ended with exit code 143" in job.output
    assert_nothing_is_left(cluster)
