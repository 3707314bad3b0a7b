"""Grade answers in processes that are killed at a deadline.

One pool an owner process, whose processes start with the first answer that text alone does not decide. It may be used
from threads and from asyncio alike, grades equal questions once, and nothing of it outlives its owner.
"""

import asyncio
import atexit
import os
import threading
import weakref
from collections import OrderedDict
from concurrent.futures import Future
from functools import partial
from typing import Any

from gmpo_verl.rewards.equivalence import acceptable_answers, cheap_verdict
from gmpo_verl.rewards.grader_team import GraderTeam
from gmpo_verl.rewards.question import ERROR, Question, Verdict

DEADLINE_S = 2.0  # of processor time
MEMORY_BYTES = 1 << 30  # of address space; math-verify with sympy takes 75 MB of it
ANSWERS_PER_PROCESS = 2_000  # sympy's caches grow with every expression
CACHE_SIZE = 20_000


class GradingPool:
    """Compares answers with ground truths, ``max_workers`` at once, each within ``deadline_s`` seconds of computing.

    ``memory_bytes`` bounds the address space of a process; after ``answers_per_process`` answers it is renewed. There
    are ``max_workers + 1`` processes, so that a warm one takes over where another is killed or renewed.
    """

    graded: int  # answers given to a process: decided neither by their text nor by the cache
    _lock: threading.Lock
    _verdicts: OrderedDict[tuple[str, tuple[str, ...]], Future[Verdict]]
    _team: GraderTeam | None

    def __init__(
        self,
        max_workers: int = 1,
        deadline_s: float = DEADLINE_S,
        memory_bytes: int = MEMORY_BYTES,
        answers_per_process: int = ANSWERS_PER_PROCESS,
    ) -> None:
        if max_workers < 1 or deadline_s <= 0 or memory_bytes < 1 or answers_per_process < 1:
            raise ValueError("a grading pool needs at least one process and positive limits")
        self.max_workers = max_workers
        self.deadline_s = deadline_s
        self.memory_bytes = memory_bytes
        self.answers_per_process = answers_per_process
        self._start_afresh()
        _pools.add(self)

    def submit(self, answer: str, ground_truth: Any) -> Future[Verdict]:
        """A future of the verdict, done already where text or the cache decides. Never raises, cannot be cancelled."""
        try:
            accepted = acceptable_answers(ground_truth)
            if not accepted:
                return _decided(ERROR)
            correct = cheap_verdict(answer, accepted)
            return self._ask_once(answer, accepted) if correct is None else _decided(Verdict(correct))
        except Exception:  # whatever untrusted text sets off is counted as an error
            return _decided(ERROR)

    def grade(self, answer: str, ground_truth: Any) -> Verdict:
        """From a thread: blocks for the queue and the deadline, never without bound."""
        return self.submit(answer, ground_truth).result()

    async def grade_async(self, answer: str, ground_truth: Any) -> Verdict:
        """From asyncio: the same, and no thread waits."""
        verdict = self.submit(answer, ground_truth)
        # Most are: text decided. To wait for one costs more than that.
        return verdict.result() if verdict.done() else await asyncio.wrap_future(verdict)

    def close(self) -> None:
        """End the processes; answers on their way count as errors. The next answer starts the pool again."""
        with self._lock:
            team, self._team = self._team, None
        if team is not None:
            team.close()

    def pids(self) -> list[int]:
        """The processes that can grade at this moment, the spare among them."""
        team = self._team
        return [] if team is None else team.pids()

    def _ask_once(self, answer: str, accepted: tuple[str, ...]) -> Future[Verdict]:
        key = (answer, accepted)
        with self._lock:
            if key in self._verdicts:
                self._verdicts.move_to_end(key)
                return self._verdicts[key]
            if self._team is None:
                self._team = GraderTeam(self.max_workers, self.deadline_s, self.memory_bytes, self.answers_per_process)
            team, question = self._team, Question(answer, accepted)
            self._verdicts[key] = question.verdict
            if len(self._verdicts) > CACHE_SIZE:
                self._verdicts.popitem(last=False)
            self.graded += 1
        question.verdict.add_done_callback(partial(self._forget_error, key))
        team.ask(question)
        return question.verdict

    def _forget_error(self, key: tuple[str, tuple[str, ...]], verdict: Future[Verdict]) -> None:
        # An error says something about the process, not about the answer: the next one asks again.
        with self._lock:
            if verdict.result().error and self._verdicts.get(key) is verdict:
                del self._verdicts[key]

    def _start_afresh(self) -> None:
        self.graded = 0
        self._lock = threading.Lock()
        self._verdicts = OrderedDict()
        self._team = None


def shared_pool() -> GradingPool:
    """This process's pool, of ``GMPO_GRADERS`` processes at a time (1 by default)."""
    global _shared
    with _shared_lock:
        if _shared is None:
            workers = os.environ.get("GMPO_GRADERS", "1")
            if not workers.isdigit() or int(workers) < 1:
                raise ValueError(f"GMPO_GRADERS must be a positive whole number, not {workers!r}")
            _shared = GradingPool(max_workers=int(workers))
        return _shared


def _decided(verdict: Verdict) -> Future[Verdict]:
    future: Future[Verdict] = Future()
    future.set_result(verdict)
    return future


_shared: GradingPool | None = None
_shared_lock = threading.Lock()
_pools: weakref.WeakSet[GradingPool] = weakref.WeakSet()


def _close_all() -> None:
    for pool in list(_pools):
        pool.close()


def _forget_the_parents_processes() -> None:
    """In a forked child there are no threads of the parent, and its locks may be held for ever."""
    global _shared_lock
    _shared_lock = threading.Lock()
    for pool in list(_pools):
        pool._start_afresh()


# At exit pebble ends the processes of this moment, and multiprocessing waits for those that a pool started meanwhile:
# for ever, if no pool was closed before. Handlers run last in, first out, and pebble's is in.
atexit.register(_close_all)
os.register_at_fork(after_in_child=_forget_the_parents_processes)
