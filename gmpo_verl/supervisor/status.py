"""What the driver tells its supervisor: JSON objects, one a line, on an inherited pipe.

Workers, which may be on other nodes, append the same objects to a file in the run directory.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STATUS_FD = "GMPO_STATUS_FD"


@dataclass(frozen=True)
class RunStarted:
    """The driver's `run` event: the run directory is set up and the driver writes to its log file from here on."""

    run_dir: Path
    total_steps: int | None = None
    first_step: int = 1
    max_restarts: int = 0
    log_name: str = "driver.log"  # each attempt at the run has its own

    @property
    def metrics_file(self) -> Path:
        return self.run_dir / "metrics.jsonl"

    @property
    def logs_dir(self) -> Path:
        return self.run_dir / "logs"

    @property
    def worker_events(self) -> Path:
        return self.logs_dir / "events.jsonl"

    @property
    def driver_log(self) -> Path:
        return self.logs_dir / self.log_name

    @property
    def restarts(self) -> Path:
        return self.logs_dir / "restarts.jsonl"


@dataclass
class DriverStatus:
    """Everything heard from the driver so far. `news` holds lines for the user that have not been shown yet."""

    run: RunStarted | None = None
    training: bool = False  # the first step of this attempt has begun
    finished: bool = False
    saved_step: int | None = None  # where it stopped because it was asked to save and stop
    error: str | None = None
    stopped_itself: bool = False  # a guard ended the run: a restart would do the same again
    news: list[str] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        """Whether the driver has done what it was asked for: all steps, or up to the one to be saved."""
        return self.finished or self.saved_step is not None

    def take(self, event: dict[str, Any]) -> None:
        match event:
            case {"event": "run", "run_dir": run_dir}:
                fields = ("total_steps", "first_step", "max_restarts", "log_name")
                self.run = RunStarted(Path(run_dir), **{name: event[name] for name in fields if name in event})
                self.news.append(f"run directory: {run_dir}")
                if self.run.first_step > 1:
                    self.news.append(f"resuming at step {self.run.first_step}")
            case {"event": "stage", "text": text}:
                self.news.append(str(text))
            case {"event": "warning", "message": message}:
                self.news.append(f"warning: {message}")
            case {"event": "error", "message": message}:
                self.error = self.error or str(message)  # the first is the cause
                self.stopped_itself = bool(event.get("stopped_itself"))
            case {"event": "training"}:
                self.training = True
            case {"event": "saved", "step": int(step)}:
                self.saved_step = step
            case {"event": "finished"}:
                self.finished = True


class StatusPipe:
    """The reading end. `fd` can be waited for; it stays readable once the last writer has gone."""

    def __init__(self) -> None:
        self.fd, self.child_fd = os.pipe()
        os.set_blocking(self.fd, False)
        self._rest = b""
        self.at_end = False

    def close_child_end(self) -> None:
        os.close(self.child_fd)

    def close(self) -> None:
        os.close(self.fd)

    def read_into(self, status: DriverStatus) -> None:
        """Take in the lines that have arrived. What is not a JSON object is a line for the user."""
        while True:
            try:
                chunk = os.read(self.fd, 65536)
            except BlockingIOError:
                return
            if not chunk:
                self.at_end = True
                return
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in filter(None, lines):
                try:
                    event = json.loads(line)
                except ValueError:
                    event = None
                if isinstance(event, dict):
                    status.take(event)
                else:
                    status.news.append(line.decode(errors="replace"))
