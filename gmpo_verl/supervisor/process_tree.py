"""Every process of a run, by descent, and the way to end them all."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator

import psutil

# Python's trackers remove the shared memory that their dead process left, if they are given a moment to do so.
_TRACKER = "multiprocessing.resource_tracker"
_TRACKER_SECONDS = 2.0
_KILL_SECONDS = 20.0
_PAUSE_SECONDS = 0.05


class ProcessTree:
    """The driver and all its descendants, orphans included.

    The calling process must be a child subreaper: an orphan then becomes its child instead of init's. Children that it
    had before (of a shell that called exec, say) are not part of the tree. A process is a `psutil.Process`, which
    compares by process id and creation time, so that a reused id is another process.
    """

    def __init__(self, foreign: list[psutil.Process]) -> None:
        """`foreign`: the caller's children from before the driver was started."""
        self._me = psutil.Process()
        self._foreign = set(foreign)
        self._driver: subprocess.Popen[bytes] | None = None

    def adopt_driver(self, driver: "subprocess.Popen[bytes]") -> None:
        """Name the process that is asked to end before the others are killed."""
        self._driver = driver

    def descendants(self) -> list[psutil.Process]:
        """The living processes of the run. Zombies are reaped where they are ours, and left out."""
        self.reap()
        foreign = set(self._foreign)
        for process in self._foreign:
            with contextlib.suppress(psutil.Error):
                foreign.update(process.children(recursive=True))
        return [p for p in self._me.children(recursive=True) if p not in foreign and is_alive(p)]

    def reap(self) -> None:
        """Collect every child that has ended; the driver's exit status goes to its Popen object."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._driver is not None and pid == self._driver.pid:
                self._driver.returncode = os.waitstatus_to_exitcode(status)

    def terminate_all(
        self,
        grace: float,
        in_a_hurry: Callable[[], bool] = lambda: False,
        last_look: Callable[[list[psutil.Process]], None] = lambda alive: None,
    ) -> list[psutil.Process]:
        """SIGTERM to the driver, `grace` seconds for it to end, then SIGKILL to all until none is left.

        `in_a_hurry` is asked now and then; once it is true the grace is over. `last_look` gets the living processes
        again and again until they are killed. Returns what could not be killed (processes in uninterruptible sleep),
        normally nothing.
        """
        self.reap()
        last_look(self.descendants())
        if self._driver is not None and self._driver.returncode is None:
            self._driver.terminate()
            for _ in _until(grace):
                last_look(self.descendants())
                if self._driver.returncode is not None or in_a_hurry():
                    break
        trackers_until = time.monotonic() + _TRACKER_SECONDS
        for _ in _until(_KILL_SECONDS):
            alive = self.descendants()
            if not alive:
                return []
            last_look(alive)
            spare_trackers = time.monotonic() < trackers_until and not in_a_hurry()
            for process in alive:
                if not (spare_trackers and _TRACKER in command_line(process)):
                    with contextlib.suppress(psutil.Error):
                        process.kill()
        return self.descendants()


def is_alive(process: psutil.Process) -> bool:
    """Whether this very process (not another with its id) exists and is no zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def command_line(process: psutil.Process) -> str:
    """The process's title or its arguments joined by blanks, empty where it has gone."""
    try:
        with open(f"/proc/{process.pid}/cmdline", "rb") as file:
            return file.read(4096).replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def _until(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(_PAUSE_SECONDS)
