"""What a supervisor that was itself killed could not remove: recorded while it lived, removed by the next one."""

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import psutil

from gmpo_verl.supervisor.shared_memory import SHARED_MEMORY, Identity, inodes_in_use, unlink
from gmpo_verl.supervisor.temp_dir import PREFIX, remove_temp_dir

_CLAIM = "supervisor.lock"


class Claim:
    """Says that a temporary folder is in use, and which shared memory goes with it.

    The kernel drops the lock when this process ends, however that happens, and keeps it in every container that
    shares the folder; a process id would tell neither.
    """

    def __init__(self, temp_dir: Path) -> None:
        # Locked before it has its name: nobody finds it unlocked while its maker lives.
        descriptor, path = tempfile.mkstemp(dir=temp_dir)
        self._file = os.fdopen(descriptor, "w")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._noted: frozenset[Identity] | None = None
        self.note(())
        os.rename(path, temp_dir / _CLAIM)

    def note(self, shared_memory: Iterable[Identity]) -> None:
        """Record the run's files in shared memory, if they have changed."""
        files = frozenset(shared_memory)
        if files != self._noted:
            self._noted = files
            with contextlib.suppress(OSError):
                # One write, and a line of its own: killed at any moment, this leaves a list that can be read.
                self._file.seek(0)
                self._file.write(json.dumps(sorted(files)) + "\n")
                self._file.flush()
                self._file.truncate()

    def release(self) -> None:
        self._file.close()


def remove_remains(parent: Path) -> list[Path]:
    """Remove the folders in `parent`, and their shared memory, whose supervisors have gone. Returns the folders."""
    return [folder for folder in sorted(parent.glob(f"{PREFIX}*")) if _remove_if_dead(folder)]


def _remove_if_dead(folder: Path) -> bool:
    claim = folder / _CLAIM
    try:
        if claim.stat().st_uid != os.getuid():
            return False
        with claim.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            files = {(path, inode) for path, inode in json.loads(file.readline()) if Path(path).parent == SHARED_MEMORY}
            # Its processes may be about to end: the next supervisor finds them gone.
            if files and {inode for _, inode in files} & _all_inodes_in_use():
                return False
            unlink(files)
            remove_temp_dir(folder)
            return True
    except (OSError, ValueError, TypeError):
        return False


def _all_inodes_in_use() -> set[int]:
    return {inode for process in psutil.process_iter() for inode in inodes_in_use(process.pid, SHARED_MEMORY)}
