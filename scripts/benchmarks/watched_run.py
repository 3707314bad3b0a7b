"""A run of the command, with what a benchmark looks at while it goes on."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from gmpo_verl.supervisor.process_tree import command_line
from gmpo_verl.supervisor.roles import role_of

COMMAND = (sys.executable, "-m", "gmpo_verl.main_ppo", "algorithm=gmpo")
# Steps and nothing else: the default settings validate and save as well.
BARE = ("trainer.val_before_train=false", "trainer.test_freq=-1", "trainer.save_freq=-1")


class WatchedRun:
    """`python -m gmpo_verl.main_ppo algorithm=gmpo OVERRIDE ...` in a folder of its own; ended with the block."""

    def __init__(self, *overrides: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.run_dir = Path(self._folder.name, "run")
        self._errors = Path(self._folder.name, "errors.txt")
        self.began = time.monotonic()
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [*COMMAND, *BARE, *overrides, f"run_dir={self.run_dir}"],
                env={"HF_HUB_OFFLINE": "1"} | os.environ,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )

    def __enter__(self) -> "WatchedRun":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if kind is not None:
            self._process.terminate()
        returncode = self._process.wait()
        errors = self._errors.read_text()[-2000:]
        self._folder.cleanup()
        if kind is None and returncode != 0:
            raise SystemExit(f"the run ended with {returncode}:\n{errors}")

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def seconds(self) -> float:
        """Since the command was given."""
        return time.monotonic() - self.began

    def processes(self) -> Iterator[tuple[str, psutil.Process]]:
        """The living processes with their roles ("" for none), the command's own first."""
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(self._process.pid)
            for process in (root, *root.children(recursive=True)):
                yield role_of(command_line(process)) or "", process

    def steps(self) -> list[dict[str, Any]]:
        """The metrics of the steps so far."""
        file = self.run_dir / "metrics.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [row["data"] for line in lines if (row := json.loads(line))["step"] > 0]


def memory_by_role(run: WatchedRun) -> dict[str, int]:
    """Bytes (proportional set size: of a page that n processes share each counts 1/n) of the processes of each role."""
    sizes: dict[str, int] = {}
    for role, process in run.processes():
        with contextlib.suppress(psutil.Error):
            sizes[role] = sizes.get(role, 0) + int(process.memory_full_info().pss)
    return sizes
