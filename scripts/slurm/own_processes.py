"""What this node's step starts: processes that end with it, a temporary folder, shared memory. Nothing of it stays."""

import functools
import os
import signal
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Any

import psutil

from gmpo_verl.supervisor.prctl import become_subreaper, tied_to
from gmpo_verl.supervisor.process_tree import ProcessTree
from gmpo_verl.supervisor.remains import Claim, remove_remains
from gmpo_verl.supervisor.shared_memory import SharedMemoryWatch
from gmpo_verl.supervisor.temp_dir import make_temp_dir, parent_of_temp_dirs, remove_temp_dir

# Slurm may take it for good 30 s after it has asked a job to end (KillWait).
_GRACE_SECONDS = 5.0


class OwnProcesses:
    """A context: processes started in it have ended, and their files are gone, when it is left."""

    def __enter__(self) -> "OwnProcesses":
        become_subreaper()
        remove_remains(parent_of_temp_dirs())  # of jobs that were killed
        self.folder = make_temp_dir()
        self._claim = Claim(self.folder)
        self._tree = ProcessTree(foreign=psutil.Process().children())
        self._shared_memory = SharedMemoryWatch()
        return self

    def start(self, command: Sequence[str], environment: dict[str, str], output: IO[Any] | None = None) -> Any:
        """Start a process that dies with this one. Where it is the last one started, it is asked to end first."""
        process = subprocess.Popen(
            command,
            env=os.environ | {"TMPDIR": str(self.folder)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            preexec_fn=functools.partial(_prepare_child, os.getpid()),
        )
        self._tree.adopt_driver(process)
        return process

    def look(self) -> None:
        """Take note of what there is by now; to be called about every second."""
        processes = self._tree.descendants()
        self._shared_memory.scan(processes)
        self._claim.note(self._shared_memory.owned)

    def end(self, first: "subprocess.Popen[bytes] | None") -> None:
        """End all processes, `first` in good order; their shared memory is removed."""
        if first is not None:
            self._tree.adopt_driver(first)
        self._tree.terminate_all(_GRACE_SECONDS, last_look=self._shared_memory.scan)
        self._shared_memory.remove()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end(None)
        remove_temp_dir(self.folder)
        self._claim.release()


def _prepare_child(parent: int) -> None:
    # Some of Slurm's ways to track processes send a signal for the step to all of its processes.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if not tied_to(parent):
        os._exit(1)
