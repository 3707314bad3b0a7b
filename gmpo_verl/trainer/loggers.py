"""What verl's loggers need to go on where an earlier attempt at the run stopped."""

import os
import secrets
from pathlib import Path

from gmpo_verl.files import free_name, write_atomically

_RUN_ID = "wandb_run_id"
_FILE = "verl_metrics.jsonl"


def continue_loggers(logs: Path) -> None:
    """Set the loggers' environment for one more attempt at the run with this `logs` folder; the user's own stays.

    TensorBoard adds a file of events beside the earlier ones by itself.
    """
    logs.mkdir(parents=True, exist_ok=True)
    # verl's file logger empties what it opens.
    os.environ.setdefault("VERL_FILE_LOGGER_PATH", str(free_name(logs / _FILE)))
    if "WANDB_RUN_ID" not in os.environ:
        os.environ |= {"WANDB_RUN_ID": _wandb_run_id(logs / _RUN_ID), "WANDB_RESUME": "allow"}


def _wandb_run_id(file: Path) -> str:
    """The run's, made by its first attempt."""
    if not file.exists():
        write_atomically(file, f"{secrets.token_hex(4)}\n")
    return file.read_text(encoding="utf-8").strip()
