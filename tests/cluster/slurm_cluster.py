"""A real Slurm for tests: its daemons on the nodes of `namespaces`, every file of theirs in one folder.

The daemons are processes of the nodes and end with them. Needs Debian's slurmctld, slurmd, slurm-client and munge.
"""

import contextlib
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from namespaces import Node, inner, nodes
from namespaces import missing as namespaces_missing

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel")
_START_SECONDS = 30
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY")

# linuxproc and task/none need no cgroups. A requeued job waits as long as a credential lives, 120 s by default.
_SLURM_CONF = """
ClusterName=test
SlurmctldHost=n1
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=100
GresTypes=gpu
SlurmdParameters=config_overrides
ReturnToService=2
JobRequeue=1
MinJobAge=3600
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
_NODE = "NodeName={name} NodeAddr={address} CPUs=8 RealMemory=8000 Gres=gpu:2 State=UNKNOWN"
_GRES = "NodeName={name} Name=gpu File=/dev/null,/dev/zero"


@dataclass(frozen=True)
class SlurmCluster:
    """The nodes, and what a user of them types."""

    nodes: list[Node]
    folder: Path

    def run(self, *command: str | Path, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a command on the first node, as on a login node."""
        settings = {"SLURM_CONF": str(self.folder / "slurm.conf")} | environment
        argv = ["env", *(f"{name}={value}" for name, value in settings.items()), *map(str, command)]
        return self.nodes[0].run(argv, cwd=str(cwd), capture_output=True, text=True, timeout=60)

    def sbatch(self, *arguments: str | Path, cwd: Path, **environment: str) -> "Job":
        """Submit a job from the folder `cwd`."""
        result = self.run("sbatch", "--parsable", *arguments, cwd=cwd, **environment)
        assert result.returncode == 0, result.stderr
        return Job(self, int(result.stdout), cwd)

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def processes(self, words: str) -> list[psutil.Process]:
        """The processes on any node whose command line contains these words."""
        found = [process for node in self.nodes for process in node.processes()]
        return [process for process in found if words in " ".join(_command_line(process))]

    def daemons_log(self) -> str:
        return "\n".join(f"== {file.name}\n{file.read_text()[-4000:]}" for file in sorted(self.folder.glob("*.log")))


@dataclass(frozen=True)
class Job:
    """A submitted job."""

    cluster: SlurmCluster
    id: int
    cwd: Path

    @property
    def output(self) -> str:
        """What the job has printed, all attempts together."""
        file = self.cwd / f"slurm-{self.id}.out"
        return file.read_text(errors="replace") if file.exists() else ""

    def show(self) -> dict[str, str]:
        """What `scontrol show job` says, by name."""
        result = self.cluster.run("scontrol", "--oneliner", "show", "job", str(self.id), cwd=self.cwd)
        assert result.returncode == 0, result.stderr
        pairs = [word.partition("=") for word in result.stdout.split()]
        return {name: value for name, _, value in pairs}

    @property
    def state(self) -> str:
        return self.show()["JobState"]

    @property
    def minutes(self) -> int:
        """For how long it has been running, rounded down."""
        hours, minutes, _ = self.show()["RunTime"].split(":")
        return 60 * int(hours) + int(minutes)

    def limit(self, minutes: int) -> None:
        """Give it another time limit."""
        change = [f"JobId={self.id}", f"TimeLimit={minutes}"]
        assert self.cluster.run("scontrol", "update", *change, cwd=self.cwd).returncode == 0

    def cancel(self) -> None:
        assert self.cluster.run("scancel", str(self.id), cwd=self.cwd).returncode == 0

    def wait(self, seconds: float) -> str:
        """The state in which it ends."""
        self.wait_until(lambda: self.state in ENDED, seconds)
        return self.state

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not condition():
            over = time.monotonic() > end or (self.state in ENDED and not condition())
            assert not over, f"not within {seconds} s: {self.show()}\n{self.output[-4000:]}"
            time.sleep(0.5)


def missing() -> str | None:
    """Why there can be no Slurm here; None if there can."""
    if absent := [program for program in PROGRAMS if shutil.which(program) is None]:
        return f"not installed: {', '.join(absent)} (apt-get install slurmctld slurmd slurm-client munge)"
    return namespaces_missing()


@contextlib.contextmanager
def slurm_cluster(shared: Path, count: int = 2) -> Iterator[SlurmCluster]:
    """A Slurm of `count` nodes n1, n2, ..., two GPUs (that are none) and eight CPUs each; slurmctld is on n1.

    Args:
        shared: a folder that all nodes see; the daemons' files stand in its folder `slurm`.
    """
    folder = shared / "slurm"
    with nodes(count, shared=[shared]) as made:
        (folder / "state").mkdir(parents=True)
        (folder / "munge.key").touch(mode=0o600)
        (folder / "munge.key").write_bytes(secrets.token_bytes(128))
        (folder / "slurm.conf").write_text(
            _SLURM_CONF.format(folder=folder)
            + "\n".join(_NODE.format(name=node.name, address=node.address) for node in made)
            + "\n"
        )
        (folder / "gres.conf").write_text("\n".join(_GRES.format(name=node.name) for node in made) + "\n")
        (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nConstrainCores=no\n")
        for name in ("spool-" + node.name for node in made):
            (folder / name).mkdir()
        cluster = SlurmCluster(made, folder)
        _start(made[0], folder, _munged(folder))
        _start(made[0], folder, ["slurmctld", "-D"])
        for node in made:
            _start(node, folder, ["slurmd", "-D", "-N", node.name])
        _wait_until_idle(cluster)
        yield cluster


def slurmd_of(node: Node) -> psutil.Process:
    return next(process for process in node.processes() if process.name() == "slurmd")


def _munged(folder: Path) -> list[str]:
    # One for all nodes: a Unix socket is reached through the file system. --force: it would refuse a folder in /tmp.
    files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    return ["munged", "--foreground", "--force", *(f"--{o}={folder}/munge.{ending}" for o, ending in files.items())]


def _start(node: Node, folder: Path, argv: Sequence[str]) -> None:
    with (folder / f"{node.name}-{argv[0]}.out").open("w") as output:
        entered = node.start(
            ["env", f"SLURM_CONF={folder}/slurm.conf", *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=str(folder),
        )
    inner(entered)


def _wait_until_idle(cluster: SlurmCluster) -> None:
    end = time.monotonic() + _START_SECONDS
    states = ""
    while time.monotonic() < end:
        states = cluster.run("sinfo", "--noheader", "--Node", "--format=%T", cwd=cluster.folder).stdout
        if states.split() == ["idle"] * len(cluster.nodes):
            return
        time.sleep(0.2)
    raise AssertionError(f"Slurm's nodes are not idle but: {states}\n{cluster.daemons_log()}")


def _command_line(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []
