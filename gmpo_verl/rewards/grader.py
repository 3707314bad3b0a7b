"""One grading process, in a pebble pool of its own.

The processes of one pebble pool share a channel and its locks: one of them that is killed or stopped with a lock in its
hand holds up all the others, and pebble gives up a pool in which an idle process dies. Alone in its pool a process can
only harm itself.
"""

import os
from collections.abc import Callable
from typing import Any

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from gmpo_verl.rewards import grader_process
from gmpo_verl.rewards.question import ERROR, TIMED_OUT, Question, Verdict
from gmpo_verl.rewards.spawn_context import MainlessSpawnContext

# The deadline counts processor time, of which a busy machine gives a process little. What takes this long on the clock
# gets none: somebody stopped the process.
_START_LIMIT_S = 60.0
_CLOCK_FACTOR, _CLOCK_ALLOWANCE_S = 10.0, 5.0


class ProcessLostError(Exception):
    """The process ended, and not at the deadline. ``began``: it was grading, so the question may be what ended it."""

    def __init__(self, began: bool) -> None:
        super().__init__(f"a grading process was lost {'while it graded' if began else 'before it began'}")
        self.began = began


class Grader:
    """A process that grades one question at a time, and is renewed after ``answers_per_process`` of them.

    ``start`` and ``grade`` block, and belong to ONE thread that lives as long as the grader: a process dies with the
    thread that started it (so PR_SET_PDEATHSIG counts).
    """

    def __init__(self, deadline_s: float, memory_bytes: int, answers_per_process: int) -> None:
        self._deadline_s = deadline_s
        self._memory_bytes = memory_bytes
        self._answers_per_process = answers_per_process
        self._answers_left = 0
        self._pool: ProcessPool | None = None
        self._task: ProcessFuture[Any] | None = None
        self.pid: int | None = None  # while the process can grade

    @property
    def can_grade(self) -> bool:
        """The process is warm and alive, as far as pebble knows."""
        return self.pid is not None and self._pool is not None and self._pool.active

    def start(self) -> None:
        """Returns when the process can grade. Raises whatever keeps it from starting."""
        if self._pool is None or not self._pool.active:
            self.stop()
            self._pool = ProcessPool(
                max_workers=1,
                max_tasks=self._answers_per_process + 1,  # the first task is to identify itself
                initializer=grader_process.initialize,
                initargs=(os.getpid(), self._memory_bytes),
                context=MainlessSpawnContext(),
            )
        try:
            self.pid = self._run(grader_process.identify, limit_s=_START_LIMIT_S)
        except BaseException:
            self.stop()
            raise
        self._answers_left = self._answers_per_process

    def grade(self, question: Question) -> Verdict:
        """Raises ProcessLostError where somebody else than the deadline ended the process."""
        assert self._pool is not None
        limit_s = _CLOCK_FACTOR * self._deadline_s + _CLOCK_ALLOWANCE_S
        try:
            correct = self._run(
                grader_process.grade, question.answer, question.accepted, self._deadline_s, limit_s=limit_s
            )
        except ProcessExpired as death:
            self.pid = None  # pebble starts the next one
            if death.exitcode == -grader_process.DEADLINE_SIGNAL:
                return TIMED_OUT
            raise ProcessLostError(began=True) from death
        except Exception as error:  # stopped, interrupted or without a process: pebble has many names for it
            began = self._task is not None and self._task.running()
            self.pid = None
            self._pool.stop()  # and start() waits for its end, when the turn has passed to another
            raise ProcessLostError(began) from error
        self._answers_left -= 1
        if self._answers_left == 0:
            self.pid = None  # the process ends by itself, and pebble starts the next one
        return ERROR if correct is None else Verdict(correct)

    def interrupt(self) -> None:
        """From another thread: what ``start`` or ``grade`` waits for does not come."""
        task = self._task
        if task is not None:
            task.cancel()

    def stop(self) -> None:
        """Kill the process and wait for its end: seconds where somebody stopped it with a signal."""
        pool, self._pool, self.pid = self._pool, None, None
        if pool is not None:
            pool.stop()
            pool.join()

    def _run(self, function: Callable[..., Any], *args: Any, limit_s: float) -> Any:
        assert self._pool is not None
        self._task = self._pool.schedule(function, args=args)
        return self._task.result(timeout=limit_s)
