"""A run in the background, all of whose processes are killed at once, as by a power cut."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import psutil

_MARK = "GMPO_KILLED_RUN"
_LONGEST_SECONDS = 420


class KilledRun:
    """`python -m gmpo_verl.main_ppo` with `arguments`, in `folder`."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self._mark = uuid.uuid4().hex
        self.began = time.monotonic()
        self.output = folder / f"output-{time.time_ns()}.txt"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gmpo_verl.main_ppo", *arguments],
                cwd=folder,
                env=os.environ | {"HF_HUB_OFFLINE": "1", _MARK: self._mark} | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> "KilledRun":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.kill()

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_for(self, condition: Callable[[], bool]) -> None:
        while not condition():
            assert self.process.poll() is None, self.text()[-3000:]
            assert time.monotonic() - self.began < _LONGEST_SECONDS, self.text()[-3000:]
            time.sleep(0.02)

    def kill_when(self, condition: Callable[[], bool]) -> None:
        self.wait_for(condition)
        self.kill()

    def kill(self) -> None:
        """SIGKILL for every process of the run, until there is none."""
        while alive := [process for process in psutil.process_iter() if self._is_mine(process)]:
            for process in alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            time.sleep(0.05)
            self.process.poll()

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(_MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, OSError):
            return False
