"""What the Slurm tests submit, and what they look for when a job has ended."""

import getpass
import json
import time
from collections.abc import Sequence
from pathlib import Path

from slurm_cluster import ENDED, Job, SlurmCluster
from small_job import SMALL

from gmpo_verl.trainer.checkpoints.markers import newest_complete

HOME = Path(__file__).resolve().parents[2]
SCRIPTS = HOME / "scripts" / "slurm"
SAVING = (*SMALL, "trainer.save_freq=1")
_DAEMONS = ("munged", "slurmctld", "slurmd", "slurmscriptd")


def submit(cluster: SlurmCluster, folder: Path, *overrides: str, sbatch: Sequence[str] = (), **environment: str) -> Job:
    """`sbatch train.sbatch` on two nodes with one GPU each, in `folder`, its run directory being `folder`/run."""
    sbatch = ["--gpus-per-node=1", *sbatch]
    return submit_script("train.sbatch", cluster, folder, "run_dir=run", *overrides, sbatch=sbatch, **environment)


def submit_script(
    script: str,
    cluster: SlurmCluster,
    folder: Path,
    *arguments: str,
    sbatch: Sequence[str] = (),
    **environment: str,
) -> Job:
    folder.mkdir(parents=True, exist_ok=True)
    return cluster.sbatch(
        *("--nodes=2", "--time=30", *sbatch),
        SCRIPTS / script,
        *arguments,
        cwd=folder,
        GMPO_HOME=str(HOME),
        GMPO_CACHE=str(folder.parent / "cache"),
        HF_HUB_OFFLINE="1",
        **environment,
    )


def logs_of(job: Job, attempt: int = 0) -> Path:
    return job.cwd / "outputs" / "slurm" / f"{job.id}-{attempt}"


def left_behind(cluster: SlurmCluster) -> list[str]:
    """What is on the nodes besides Slurm and the shared folder."""
    found = []
    for node in cluster.nodes:
        found += [f"{node.name}: {p.pid} {p.name()}" for p in node.processes() if p.name() not in _DAEMONS]
        listed = node.run(["ls", "-A", "/tmp", "/dev/shm"], capture_output=True, text=True, check=True).stdout
        # The last one is torch's cache, which any program that imports it makes where it has no TMPDIR of its own.
        kept = {cluster.folder.parts[2], "/tmp:", "/dev/shm:", "", f"torchinductor_{getpass.getuser()}"}
        found += [f"{node.name}: {line}" for line in listed.splitlines() if line not in kept]
    return found


def assert_nothing_is_left(cluster: SlurmCluster, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while (left := left_behind(cluster)) and time.monotonic() < end:
        time.sleep(0.5)
    assert not left, left


def metrics_of(job: Job) -> list[int]:
    """The steps whose metrics are on disk, in the order of the file."""
    file = job.cwd / "run" / "metrics.jsonl"
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line)["step"] for line in lines if line.endswith("\n")]


def saved_step(job: Job) -> int:
    """The step of the newest complete checkpoint, 0 for none."""
    return newest_complete(job.cwd / "run" / "checkpoints")


def wait_for_steps(job: Job, after: int, seconds: float = 400) -> None:
    """Wait until the job has saved a step beyond `after`."""
    job.wait_until(lambda: saved_step(job) > after or job.state in ENDED, seconds)
    assert saved_step(job) > after, job.output[-4000:]
