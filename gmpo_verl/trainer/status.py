"""What a run tells the parent that watches over it: JSON lines, one event each.

The driver writes to a pipe that it inherits. Ray's workers, which may be on other nodes, append to a file in the run
directory."""

import json
import os
from pathlib import Path
from typing import Any

from gmpo_verl.supervisor.status import STATUS_FD as PIPE_VARIABLE

EVENTS_FILE = Path("logs") / "events.jsonl"

_pipe: int | None = None


def take_pipe() -> None:
    """Take the inherited pipe out of the environment, where Ray's workers would find a number that is not theirs."""
    global _pipe
    number = os.environ.pop(PIPE_VARIABLE, None)
    if number is not None:
        _pipe = int(number)
        os.set_inheritable(_pipe, False)


def notify(event: str, **fields: Any) -> None:
    """Send one event from the driver; does nothing where nobody listens."""
    if _pipe is not None:
        os.write(_pipe, _line(event, fields).encode())


def notify_from_worker(run_dir: str, event: str, **fields: Any) -> None:
    """Send one event from any process of the run."""
    with open(Path(run_dir) / EVENTS_FILE, "a", encoding="utf-8") as file:
        file.write(_line(event, fields))


def _line(event: str, fields: dict[str, Any]) -> str:
    return json.dumps({"event": event, **fields}) + "\n"
