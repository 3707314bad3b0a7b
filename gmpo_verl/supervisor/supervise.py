"""A run from its start to its end: start the driver, watch it and its processes, stop, clean, report, start again."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from gmpo_verl.supervisor.console import Display
from gmpo_verl.supervisor.ending import FAILURE, USER_ERROR, Ending
from gmpo_verl.supervisor.json_lines import JsonLinesTail
from gmpo_verl.supervisor.memory import PeakMemory
from gmpo_verl.supervisor.prctl import SUPERVISOR_PID, become_subreaper
from gmpo_verl.supervisor.process_tree import ProcessTree
from gmpo_verl.supervisor.progress import Progress
from gmpo_verl.supervisor.remains import Claim, remove_remains
from gmpo_verl.supervisor.restarts import RESTART, Restarts
from gmpo_verl.supervisor.roles import RoleWatch
from gmpo_verl.supervisor.save_request import ask
from gmpo_verl.supervisor.shared_memory import SharedMemoryWatch
from gmpo_verl.supervisor.signals import StopSignals
from gmpo_verl.supervisor.status import STATUS_FD, DriverStatus, StatusPipe
from gmpo_verl.supervisor.temp_dir import TEMP_DIR, keep_ray_logs, make_temp_dir, parent_of_temp_dirs, remove_temp_dir

DRIVER = (sys.executable, "-m", "gmpo_verl.trainer.driver")

_POLL_SECONDS = 0.5
_SCAN_SECONDS = 1.0  # between looks at which processes and shared-memory files there are
# Time for the driver to end by itself, with its own account of the cause, once a process it needs has died or it has
# reported an error.
_AFTER_LOSS_SECONDS = 15.0
# Time for Ray to be shut down in good order after training has finished.
_AFTER_FINISH_SECONDS = 30.0
# Time between SIGTERM and SIGKILL for the driver.
_GRACE_SECONDS = 5.0


def supervise(argv: Sequence[str], driver: Sequence[str] = DRIVER) -> int:
    """Run `driver` with the arguments `argv` to its end and return the exit code for the command.

    0: the driver trained what was asked (or had nothing to train: help, a printed configuration). 1: a failure, with
    its cause in the last lines. 2: the user's error, explained by the driver. 130, 143, 129: stopped by SIGINT,
    SIGTERM, SIGHUP. 75: SIGUSR1 asked it to save after its step and stop, and the same command goes on. A failed run is
    started again as often as `trainer.max_restarts` says. On return no process, temporary file or shared memory of the
    run is left.
    """
    signals, restarts, display = StopSignals(), Restarts(), Display()
    signals.install()
    become_subreaper()
    while True:
        attempt = _Supervision(list(argv), list(driver), signals, display, restarts.count)
        ending = attempt.run()
        wait = restarts.next_wait(ending)
        if wait is None:
            display.close([*ending.lines(), *filter(None, [restarts.why_not])], ending.failed)
            return FAILURE if restarts.count and ending.exit_code == USER_ERROR else ending.exit_code
        assert ending.status.run is not None
        again = f"Restart {restarts.count} of {ending.status.run.max_restarts} in {wait:.0f} s."
        display.close(ending.lines(instead_of_resuming=again), failed=True)
        _sleep(wait, signals)


def _sleep(seconds: float, signals: StopSignals) -> None:
    """Wait, but not longer than until a signal arrives."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and signals.first is None and not signals.save:
        select.select([signals.fd], [], [], _POLL_SECONDS)
        signals.drain()


class _Supervision:
    """One attempt."""

    def __init__(
        self, argv: list[str], driver: list[str], signals: StopSignals, display: Display, restart: int
    ) -> None:
        self._command = [*driver, *argv]
        self._signals = signals
        self._restart = restart
        self._tree = ProcessTree(foreign=psutil.Process().children())
        self._shared_memory = SharedMemoryWatch()
        self._roles = RoleWatch()
        self._memory = PeakMemory()
        self._pipe = StatusPipe()
        self._display = display
        self._status = DriverStatus()
        self._ending = Ending(argv, self._status, Progress())
        self._metrics: JsonLinesTail | None = None
        self._worker_events: JsonLinesTail | None = None
        self._claim: Claim | None = None
        self._next_scan = 0.0

    def run(self) -> Ending:
        remove_remains(parent_of_temp_dirs())
        temp_dir = make_temp_dir()
        try:
            self._claim = Claim(temp_dir)
            child = self._start(temp_dir)
            self._watch(child)
        finally:
            self._stop_and_clean(temp_dir)
        return self._ending

    def _start(self, temp_dir: Path) -> "subprocess.Popen[bytes]":
        environment = os.environ | {
            STATUS_FD: str(self._pipe.child_fd),
            SUPERVISOR_PID: str(os.getpid()),
            TEMP_DIR: str(temp_dir),
            RESTART: str(self._restart),
            "TMPDIR": str(temp_dir),
        }
        child = subprocess.Popen(self._command, env=environment, pass_fds=[self._pipe.child_fd], start_new_session=True)
        self._pipe.close_child_end()
        self._tree.adopt_driver(child)
        return child

    def _watch(self, child: "subprocess.Popen[bytes]") -> None:
        """Return when the driver has ended, or when it is time to end it."""
        deadline: float | None = None
        while True:
            self._tree.reap()
            self._look()
            if not self._status.is_done:
                self._pass_on_save_request()
                if self._signals.first is not None:
                    self._ending.interrupted_by = self._signals.first
                if self._ending.interrupted_by is not None:
                    return
            if child.returncode is not None:
                self._ending.returncode = child.returncode
                return
            if deadline is None and self._status.is_done:
                deadline = time.monotonic() + _AFTER_FINISH_SECONDS
            elif deadline is None and (self._ending.lost or self._status.error is not None):
                deadline = time.monotonic() + _AFTER_LOSS_SECONDS
            if deadline is not None and (time.monotonic() > deadline or self._signals.again()):
                return
            self._wait()

    def _pass_on_save_request(self) -> None:
        """Once: to the trainer, which looks after its step; before the first one there is nothing to wait for."""
        if self._signals.save and not self._ending.asked_to_save:
            self._ending.asked_to_save = True
            if self._status.run is not None and self._status.training:
                ask(self._status.run.run_dir)
                self._display.line("SIGUSR1: the run saves at the end of its step and stops")
            else:
                self._ending.interrupted_by = signal.SIGUSR1

    def _look(self) -> None:
        """Take in everything new: the driver's events, its processes, its shared memory, its metrics."""
        self._note_losses()  # before the driver's error, which it can follow within a moment
        self._pipe.read_into(self._status)
        if time.monotonic() >= self._next_scan:
            processes = self._tree.descendants()
            self._roles.discover(processes)
            self._shared_memory.scan(processes)
            if self._claim is not None:
                self._claim.note(self._shared_memory.owned)
            self._memory.sample(processes)
            self._next_scan = time.monotonic() + _SCAN_SECONDS
        self._read_files()
        while self._status.news:
            self._display.line(self._status.news.pop(0))

    def _note_losses(self) -> None:
        lost = self._roles.lost()
        # What ends after the first loss, after the driver's own error or after the last step is a consequence.
        if not (self._ending.lost or self._status.error or self._status.is_done):
            self._ending.lost = lost

    def _read_files(self) -> None:
        """The run directory's metrics, and the events that workers append there."""
        run, progress = self._status.run, self._ending.progress
        if run is None:
            return
        now: float | None = time.monotonic()
        if self._metrics is None or self._worker_events is None:
            self._metrics = JsonLinesTail(run.metrics_file)
            self._worker_events = JsonLinesTail(run.worker_events, from_end=True)
            progress.begin(run.total_steps, run.first_step)
            now = None  # an earlier part of a resumed run may have written these rows
        rows = self._metrics.read()
        if self._metrics.rewound:
            progress.begin(run.total_steps, run.first_step)
        for row in rows:
            progress.take(row, now)
            self._display.step(progress)
        for event in self._worker_events.read():
            self._status.take(event)
        self._display.step(progress)

    def _wait(self) -> None:
        """Sleep until something happens: an event, a signal, the end of a process, or half a second."""
        readable = [self._signals.fd, *self._roles.wake_ups()]
        if not self._pipe.at_end:
            readable.append(self._pipe.fd)
        ready, _, _ = select.select(readable, [], [], _POLL_SECONDS)
        if self._signals.fd in ready:
            self._signals.drain()

    def _stop_and_clean(self, temp_dir: Path) -> None:
        ending = self._ending
        ending.peak_memory = self._memory.peak
        self._pipe.read_into(self._status)
        self._pipe.close()
        self._read_files()
        # What the driver says from here on is about being stopped.
        ending.settle_cause()
        grace = 0.0 if self._status.is_done else _GRACE_SECONDS
        unkillable = self._tree.terminate_all(grace, self._signals.again, last_look=self._shared_memory.scan)
        ending.unkillable = [process.pid for process in unkillable]
        self._read_files()
        self._shared_memory.remove()
        if ending.failed and ending.interrupted_by is None and self._status.run is not None:
            ending.ray_logs = keep_ray_logs(temp_dir, self._status.run.logs_dir)
        remove_temp_dir(temp_dir)
        if self._claim is not None:
            self._claim.release()
