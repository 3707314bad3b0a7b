"""How a run is asked to save and stop: a file in its run directory, which the trainer looks for after every step.

The trainer may be on another node, and run directories are on a shared file system. The command makes the file at
SIGUSR1; a user may as well make it by hand.
"""

import contextlib
import os
from pathlib import Path

FILE = ".save_and_stop"


def ask(run_dir: Path) -> None:
    """Ask the run to save a checkpoint at the end of its step, and to stop then."""
    with contextlib.suppress(OSError):
        (run_dir / FILE).touch()


def is_asked(run_dir: Path) -> bool:
    # A listing, because a network file system remembers for a while that a name was not there.
    return FILE in os.listdir(run_dir)


def forget(run_dir: Path) -> None:
    """To be called when a run starts, for what was asked of an earlier one."""
    (run_dir / FILE).unlink(missing_ok=True)
