"""The grading processes of one owner: as many as grade at a time, and a warm spare.

Each process has a thread that feeds it. A process that was killed, at the deadline or by anybody, or has graded its
share, takes most of a second to start again; it gives up its turn first, and the spare takes it. Every question ends
with a verdict: one whose process died is asked once more.
"""

import logging
import queue
import threading

from gmpo_verl.rewards.grader import Grader, ProcessLostError
from gmpo_verl.rewards.question import ERROR, Question

MAX_DEATHS = 2
MAX_LOSSES = 5
MAX_FAILED_STARTS = 3

_POLL_S = 0.25
_LONGEST_PAUSE_S = 10.0

logger = logging.getLogger(__name__)


class GraderTeam:
    """Grades ``size`` questions at a time, with ``size + 1`` processes. Closed once and for all."""

    def __init__(self, size: int, deadline_s: float, memory_bytes: int, answers_per_process: int) -> None:
        self._size = size
        self._questions: queue.SimpleQueue[Question] = queue.SimpleQueue()
        self._turns = threading.Semaphore(size)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._has_started = threading.Event()
        self._failed_starts = 0  # in a row, of all processes
        self._graders = [Grader(deadline_s, memory_bytes, answers_per_process) for _ in range(size + 1)]
        self._threads = [
            threading.Thread(target=self._work, args=(grader, is_spare), name="grader", daemon=True)
            for grader, is_spare in zip(self._graders, [False] * size + [True], strict=True)
        ]
        try:
            for thread in self._threads:
                thread.start()
        except RuntimeError:  # the system allows no more threads
            self.close()
            raise

    def ask(self, question: Question) -> None:
        with self._lock:
            is_refused = self._closed.is_set() or self._is_hopeless()
            if not is_refused:
                self._questions.put(question)
        if is_refused:
            question.resolve(ERROR)

    def pids(self) -> list[int]:
        """Of the processes that can grade."""
        return [pid for grader in self._graders if (pid := grader.pid) is not None]

    def close(self) -> None:
        """End the processes; what waits for a verdict is an error."""
        with self._lock:
            self._closed.set()
        self._has_started.set()
        for grader, thread in zip(self._graders, self._threads, strict=True):
            while thread.is_alive():  # again: it may begin something new at this moment
                grader.interrupt()
                thread.join(_POLL_S)
        self._refuse_all()

    def _work(self, grader: Grader, is_spare: bool) -> None:
        if is_spare:  # it would take the processor from those that are waited for
            self._has_started.wait()
        try:
            while not self._closed.is_set():
                if self._start(grader):
                    while grader.can_grade and not self._closed.is_set():
                        self._take_a_turn(grader)
        finally:
            grader.stop()

    def _start(self, grader: Grader) -> bool:
        try:
            grader.start()
        except Exception as error:  # no memory, no more processes or threads, or it was killed
            with self._lock:
                self._failed_starts += 1
                is_hopeless = self._is_hopeless()
                pause_s = min(0.25 * self._failed_starts, _LONGEST_PAUSE_S)
            if is_hopeless and self._refuse_all():
                logger.warning("no grading process starts, answers that need one count as errors: %r", error)
            self._closed.wait(pause_s)
            return False
        with self._lock:
            self._failed_starts = 0
        self._has_started.set()
        return True

    def _take_a_turn(self, grader: Grader) -> None:
        if not self._turns.acquire(timeout=_POLL_S):
            return
        try:
            self._grade(grader, self._questions.get(timeout=_POLL_S))
        except queue.Empty:
            pass
        finally:
            self._turns.release()

    def _grade(self, grader: Grader, question: Question) -> None:
        try:
            question.resolve(grader.grade(question))
        except ProcessLostError as loss:
            question.deaths += loss.began
            question.losses += not loss.began
            if question.deaths >= MAX_DEATHS or question.losses >= MAX_LOSSES:
                question.resolve(ERROR)
            else:
                self._questions.put(question)

    def _is_hopeless(self) -> bool:
        return self._failed_starts >= MAX_FAILED_STARTS * self._size and not self.pids()

    def _refuse_all(self) -> int:
        """The number of waiting questions, which end as errors."""
        refused = 0
        while True:
            try:
                self._questions.get_nowait().resolve(ERROR)
            except queue.Empty:
                return refused
            refused += 1
