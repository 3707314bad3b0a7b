"""The parent's side of generation: worker processes, each with its share of the devices and of the jobs."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from gmpo_verl.evaluation.devices import Devices, worker_environment
from gmpo_verl.evaluation.failure import EvaluationFailedError
from gmpo_verl.evaluation.jobs import EngineOptions, Job
from gmpo_verl.evaluation.sampling import Sampling

_STOP_SECONDS = 5.0
_TIDY_SECONDS = 2.0  # for the processes of one engine to remove their shared memory
_LOG_LINES = 12


@dataclass
class Workers:
    """Generates the jobs; a context manager whose end ends every process. `events` yields what the workers write."""

    options: EngineOptions  # without the devices
    devices: Devices
    sampling: Sampling
    logs: Path
    _processes: list["subprocess.Popen[str]"] = field(default_factory=list)

    def events(self, jobs: Sequence[Job]) -> Iterator[dict[str, Any]]:
        """Events of all workers as they come, see `worker`; `ready` once for each.

        Raises:
            EvaluationFailedError: a worker failed; the message names its log.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        shares = self.devices.shares()[: max(1, len(jobs))]
        inbox: queue.Queue[tuple[int, dict[str, Any] | None]] = queue.Queue()
        for number, share in enumerate(shares):
            process = self._start(number, share, len(shares), jobs[number :: len(shares)])
            threading.Thread(target=_forward, args=(number, process, inbox), daemon=True).start()
        working = len(shares)
        while working:
            number, event = inbox.get()
            if event is None:
                self._check_end(number)
                working -= 1
            elif "error" in event:
                raise EvaluationFailedError(f"{event['error']} (log: {self._log(number)})")
            else:
                yield event

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            _signal_group(process, signal.SIGTERM)
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
        if self.devices.tensor_parallel_size > 1 and self._processes:
            time.sleep(_TIDY_SECONDS)
        for process in self._processes:
            _signal_group(process, signal.SIGKILL)
            process.wait()

    def _start(self, number: int, gpus: list[str], workers: int, jobs: Sequence[Job]) -> "subprocess.Popen[str]":
        with tempfile.TemporaryFile("w+", encoding="utf-8") as lines, self._log(number).open("ab") as log:
            lines.write(
                replace(
                    self.options,
                    tensor_parallel_size=self.devices.tensor_parallel_size,
                    gpu_memory_utilization=self.devices.gpu_memory_utilization,
                ).line()
            )
            lines.writelines(job.line(self.sampling) for job in jobs)
            lines.flush()
            lines.seek(0)
            # A session of its own: Ctrl-C comes to this process alone, which then ends the workers.
            process = subprocess.Popen(
                [sys.executable, "-m", "gmpo_verl.evaluation.worker", str(os.getpid())],
                stdin=lines,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | worker_environment(gpus, workers),
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def _log(self, number: int) -> Path:
        return self.logs / f"worker-{number}.log"

    def _check_end(self, number: int) -> None:
        code = self._processes[number].wait()
        if code != 0:
            log = self._log(number)
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_LOG_LINES:]
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise EvaluationFailedError("\n".join([f"a worker {how} (log: {log}); its last lines:", *last]))


def _forward(
    number: int, process: "subprocess.Popen[str]", inbox: "queue.Queue[tuple[int, dict[str, Any] | None]]"
) -> None:
    stdout: IO[str] | None = process.stdout
    assert stdout is not None
    with contextlib.suppress(ValueError, OSError):  # a worker that was killed leaves half a line
        for line in stdout:
            inbox.put((number, json.loads(line)))
    inbox.put((number, None))


def _signal_group(process: "subprocess.Popen[str]", number: int) -> None:
    """To the worker and those that it has started, which may outlive it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
