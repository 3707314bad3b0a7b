"""The files in shared memory, and the sockets at fixed places, that belong to a run."""

import contextlib
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

import psutil

SHARED_MEMORY = Path("/dev/shm")
# verl 0.9.1 hard-codes the sockets of its weight transfer: workers/rollout/vllm_rollout/vllm_rollout.py:141.
_SOCKETS = (Path("/tmp"), re.compile(r"rl-colocate-zmq-.*\.sock"))

Identity = tuple[str, int]  # path, inode: a name can be given to another file later


class SharedMemoryWatch:
    """Finds out, while a run lasts, which files of /dev/shm its processes made; removes exactly those at the end.

    A file is the run's when it did not exist before the run and one of the run's processes has it open or mapped.
    """

    def __init__(self, directory: Path = SHARED_MEMORY) -> None:
        self._directory = directory
        self._seen_before = set(_files(directory))
        self._sockets_before = set(_sockets())
        self.owned: set[Identity] = set()

    def scan(self, processes: Iterable[psutil.Process]) -> None:
        """Note the files in use by `processes`. Cheap as long as no unknown file has appeared."""
        unknown = set(_files(self._directory)) - self._seen_before - self.owned
        if not unknown:
            return
        in_use: set[int] = set()
        for process in processes:
            in_use |= inodes_in_use(process.pid, self._directory)
        self.owned.update((path, inode) for path, inode in unknown if inode in in_use)

    def remove(self) -> list[str]:
        """Remove the run's files that are still there, once its processes have ended. Returns their paths."""
        # Nobody listens on the socket of a dead process: it is of no use to any run, and new since this one began.
        stale = {s for s in _sockets() if s not in self._sockets_before and s[0] not in _bound_sockets()}
        return unlink(self.owned) + unlink(stale)


def unlink(files: Iterable[Identity]) -> list[str]:
    """Remove the files that are still the same ones. Returns their paths."""
    removed = []
    for path, inode in sorted(files):
        with contextlib.suppress(OSError):
            if os.lstat(path).st_ino == inode:
                os.unlink(path)
                removed.append(path)
    return removed


def _files(directory: Path) -> Iterable[Identity]:
    try:
        with os.scandir(directory) as entries:
            return [(entry.path, entry.inode()) for entry in entries]
    except OSError:
        return []


def _sockets() -> list[Identity]:
    directory, name = _SOCKETS
    found = []
    for path, inode in _files(directory):
        if name.fullmatch(os.path.basename(path)):
            with contextlib.suppress(OSError):
                status = os.stat(path)
                if stat.S_ISSOCK(status.st_mode) and status.st_uid == os.getuid():
                    found.append((path, inode))
    return found


def _bound_sockets() -> set[str]:
    with contextlib.suppress(OSError):
        return {line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()}
    return set()


def inodes_in_use(pid: int, directory: Path) -> set[int]:
    """The files of `directory` that the process has open or mapped; none where it may not be looked at."""
    # By inode: a named semaphore is mapped under a temporary name, which its maker then replaces by the final one.
    prefix = f"{directory}/"
    inodes: set[int] = set()
    with contextlib.suppress(OSError):
        for descriptor in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(descriptor.path).startswith(prefix):
                    inodes.add(os.stat(descriptor.path).st_ino)
    with contextlib.suppress(OSError), open(f"/proc/{pid}/maps", errors="replace") as maps:
        # Address, rights, offset, device, inode, path.
        inodes.update(int(line.split(None, 5)[4]) for line in maps if f" {prefix}" in line)
    return inodes
