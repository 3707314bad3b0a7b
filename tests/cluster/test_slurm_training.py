"""The embedded job on the two nodes of a real Slurm, and what may happen to it. The real stack, minutes a case."""

import time

import pytest
from slurm_cluster import Job, SlurmCluster
from slurm_user import SAVING, assert_nothing_is_left, logs_of, metrics_of, saved_step, submit, wait_for_steps

FAR = "trainer.total_training_steps=1000"
START = 400  # seconds to the first step; 60 to 90 where nothing else runs

pytestmark = [pytest.mark.cluster]


@pytest.mark.timeout(2 * START + 400)
def test_two_nodes_train_and_before_the_time_limit_the_job_saves_and_goes_on_by_itself(cluster: SlurmCluster) -> None:
    folder = cluster.folder.parent / "limit"
    job = submit(cluster, folder, *SAVING, "trainer.total_training_steps=40", sbatch=["--signal=B:USR1@100"])
    wait_for_steps(job, after=0, seconds=START)
    for node in cluster.nodes:
        titles = [" ".join(process.cmdline()) for process in node.processes()]
        for part in ("ray::WorkerDict", "VLLM::EngineCore", "raylet/raylet"):
            assert len([title for title in titles if part in title]) == 1, (node.name, part, titles)
    # Slurm looks at its time limits twice a minute, in which all steps might be done: the one under way shall be long.
    held = cluster.processes("ray::WorkerDict")[-1]
    held.suspend()
    try:
        job.limit(minutes=job.minutes + 2)
        job.wait_until(lambda: "the time limit is near" in job.output, 200)
    finally:
        held.resume()
    job.wait_until(lambda: "goes on by itself" in job.output, 60)
    job.limit(minutes=60)
    saved = saved_step(job)
    assert f"Saved step {saved} and stopped, as asked." in job.output
    assert job.wait(START + 120) == "COMPLETED", job.output[-8000:]
    shown = job.show()
    assert shown["ExitCode"] == "0:0" and shown["Restarts"] == "1"
    assert f"resuming at step {saved + 1}" in (logs_of(job, 1) / "job.log").read_text()
    assert metrics_of(job) == list(range(1, 41))
    assert {file.name for file in logs_of(job, 0).iterdir()} >= {"job.log", "n1.log", "n2.log"}
    assert_nothing_is_left(cluster)


def cancel(job: Job) -> None:
    job.cancel()


def kill_the_step_of_the_other_node(job: Job) -> None:
    (step,) = [p for p in job.cluster.node("n2").processes() if "slurm/node.py worker" in " ".join(p.cmdline())]
    step.kill()


def kill_rays_head(job: Job) -> None:
    (head,) = [p for p in job.cluster.node("n1").processes() if p.name() == "gcs_server"]
    head.kill()


@pytest.mark.long
@pytest.mark.timeout(5 * (START + 200))
def test_whatever_ends_a_job_the_next_one_goes_on_after_its_last_step_and_nothing_is_left(
    cluster: SlurmCluster,
) -> None:
    folder, saved = cluster.folder.parent / "faults", 0
    endings = {
        cancel: ("CANCELLED", "143:0", "ended with exit code 143"),
        kill_the_step_of_the_other_node: ("FAILED", "1:0", "The run failed after step "),
        kill_rays_head: ("FAILED", "1:0", "The run failed after step "),
    }
    for fault, (state, code, words) in endings.items():
        job = submit(cluster, folder, *SAVING, FAR)
        wait_for_steps(job, after=saved + 1, seconds=START)
        assert (f"resuming at step {saved + 1}" in job.output) == (saved > 0)
        began = time.monotonic()
        fault(job)
        job.wait(150)
        print(f"{fault.__name__}: {job.show()} after {time.monotonic() - began:.0f} s\n{job.output}", flush=True)
        assert_nothing_is_left(cluster)
        saved = saved_step(job)
        assert metrics_of(job)[:saved] == list(range(1, saved + 1))
        assert (job.state, job.show()["ExitCode"]) == (state, code) and words in job.output
