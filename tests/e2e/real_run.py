"""One real run as a user starts it, with what a test needs to disturb it and to look at what it leaves behind."""

import os
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil

from gmpo_verl.supervisor.roles import role_of
from gmpo_verl.supervisor.shared_memory import SHARED_MEMORY, inodes_in_use

COMMAND = (sys.executable, "-m", "gmpo_verl.main_ppo")
# Inherited by every process of a run, however it is started and whatever it is called.
MARK = "GMPO_RUN_MARK"
START_SECONDS = 420  # to the first step; 60 to 90 where nothing else runs

# Small, hardly warm-started, and without an end of its own in the time of a test.
SMALL = (
    "algorithm=gmpo",
    "arithmetic.clean_steps=20",
    "arithmetic.slip_steps=0",
    "data.train_batch_size=8",
    "actor_rollout_ref.actor.ppo_mini_batch_size=8",
    "actor_rollout_ref.rollout.n=4",
    "trainer.total_training_steps=1000",
    "trainer.val_before_train=false",
    "trainer.test_freq=-1",
    "trainer.save_freq=-1",
)


class RealRun:
    """`python -m gmpo_verl.main_ppo` in the background, its output in a file."""

    def __init__(self, tmp_path: Path, cache: Path, *overrides: str) -> None:
        """`cache`: the folder for the embedded task's files, which the tests of a session share."""
        self.run_dir = tmp_path / "run"
        self.output_file = tmp_path / "output.txt"
        # Short, because of Unix sockets; its own, so that what is left in it is this run's.
        self.temp_root = Path(f"/tmp/t{uuid.uuid4().hex[:6]}")
        self.temp_root.mkdir()
        self._mark = uuid.uuid4().hex
        self._elsewhere_before = set(_elsewhere())
        self.environment = os.environ | {
            MARK: self._mark,
            "TMPDIR": str(self.temp_root),
            "GMPO_CACHE": str(cache),
        }
        with self.output_file.open("w") as output:
            self.process = subprocess.Popen(
                [*COMMAND, *SMALL, f"run_dir={self.run_dir}", *overrides],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=Path(__file__).parents[2],
            )

    def wait_for_a_step(self) -> None:
        end = time.monotonic() + START_SECONDS
        metrics = self.run_dir / "metrics.jsonl"
        while time.monotonic() < end:
            if metrics.exists() and "\n" in metrics.read_text():
                return
            assert self.process.poll() is None, f"ended before its first step:\n{self.output()[-3000:]}"
            time.sleep(0.5)
        raise AssertionError(f"no step in {START_SECONDS} s:\n{self.output()[-3000:]}")

    def pid_of(self, role: str) -> int:
        """A process with this role, in the words of `gmpo_verl.supervisor.roles`."""
        titles = {pid: (Path("/proc") / str(pid) / "cmdline").read_bytes() for pid in self.processes()}
        found = {pid: title.replace(b"\0", b" ").decode().strip() for pid, title in titles.items()}
        pids = [pid for pid, title in found.items() if role_of(title) == role]
        assert pids, f"no {role} among {sorted(found.values())}"
        return pids[0]

    def processes(self) -> list[int]:
        """The living processes that carry this run's mark."""
        return [process.pid for process in psutil.process_iter() if self._is_mine(process)]

    def output(self) -> str:
        return self.output_file.read_text(errors="replace")

    def left_behind(self) -> list[str]:
        """Everything of the run outside its run directory that stays after its end."""
        # What another program makes at this moment is gone, or in use, a little later.
        end = time.monotonic() + 5
        while (left := self._left_now()) and time.monotonic() < end:
            time.sleep(0.5)
        return left

    def _left_now(self) -> list[str]:
        processes = [f"process {pid}: {psutil.Process(pid).cmdline()}" for pid in self.processes()]
        files = [str(path) for path in self.temp_root.rglob("*")]
        new = set(_elsewhere()) - self._elsewhere_before
        return processes + files + sorted(new - _in_use(new))

    def remove(self) -> None:
        """End what a failed test has left over."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        for pid in self.processes():
            psutil.Process(pid).kill()
        shutil.rmtree(self.temp_root, ignore_errors=True)

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, OSError):
            return False


def _elsewhere() -> list[str]:
    """Where the stack leaves things when nobody looks after it: shared memory, /tmp and Ray's folders."""
    folders = {Path("/dev/shm"): "*", Path("/tmp"): "rl-colocate-*", Path("/tmp/ray"): "*", Path.home() / ".ray": "*"}
    return [str(path) for folder, pattern in folders.items() for path in folder.glob(pattern)]


def _in_use(paths: set[str]) -> set[str]:
    """Those of `paths` that a living process, none of the run's by now, has open or mapped: another program's."""
    used = {inode for process in psutil.process_iter() for inode in inodes_in_use(process.pid, SHARED_MEMORY)}
    return {path for path in paths if os.path.exists(path) and os.stat(path).st_ino in used}
