"""Grade answers in processes that are killed at a deadline.

One pool an owner process, started with the first answer that text alone does not decide. It may be used from threads
and from asyncio alike, grades equal questions once, and nothing of it outlives its owner.
"""

import asyncio
import contextlib
import os
import threading
from collections import OrderedDict
from concurrent.futures import CancelledError, Future, InvalidStateError
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NamedTuple

from pebble import ProcessExpired, ProcessPool

from gmpo_verl.rewards import grader_process
from gmpo_verl.rewards.equivalence import acceptable_answers, cheap_verdict
from gmpo_verl.rewards.spawn_context import MainlessSpawnContext

DEADLINE_S = 2.0  # of processor time
# The deadline on the clock is this much longer: on a machine whose cores are all busy an answer waits for its turn.
_CLOCK_FACTOR = 4
MEMORY_BYTES = 1 << 30  # of address space; math-verify with sympy takes 75 MB of it
ANSWERS_PER_PROCESS = 2_000  # sympy's caches grow with every expression
CACHE_SIZE = 20_000

# How long an answer may wait beyond its own deadline before the pool counts as broken: a process starts in about a
# second, and in several on a loaded machine.
_START_ALLOWANCE_S = 30.0
_RESTART_ALLOWANCE_S = 10.0
_WATCH_INTERVAL_S = 0.5

_Key = tuple[str, tuple[str, ...]]


class Verdict(NamedTuple):
    correct: bool
    timed_out: bool = False
    error: bool = False


_ERROR = Verdict(False, error=True)


class GradingPool:
    """Compares answers with ground truths, ``max_workers`` at once, each within ``deadline_s`` seconds of computing.

    ``memory_bytes`` bounds the address space of a process; after ``answers_per_process`` answers it is renewed.
    """

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
        self.graded = 0  # answers given to a process: decided neither by their text nor by the cache
        self._lock = threading.RLock()
        self._pool: ProcessPool | None = None
        self._stopped = threading.Event()
        self._verdicts: OrderedDict[_Key, Future[Verdict]] = OrderedDict()
        self._tasks: dict[Future[Verdict], Future[bool]] = {}

    def submit(self, answer: str, ground_truth: Any) -> Future[Verdict]:
        """A future of the verdict, done already where text or the cache decides. Never raises."""
        try:
            accepted = acceptable_answers(ground_truth)
            correct = cheap_verdict(answer, accepted) if accepted else None
            if correct is None and accepted:
                return self._submit_cached((answer, accepted))
            verdict = Verdict(correct) if correct is not None else _ERROR
        except Exception:
            verdict = _ERROR
        future: Future[Verdict] = Future()
        future.set_result(verdict)
        return future

    def grade(self, answer: str, ground_truth: Any) -> Verdict:
        """From a thread: blocks for the queue and the deadline, never without bound."""
        future = self.submit(answer, ground_truth)
        try:
            return future.result(timeout=self._patience_s())
        except TimeoutError:
            return self._give_up(future)

    async def grade_async(self, answer: str, ground_truth: Any) -> Verdict:
        """From asyncio: the same, and no thread waits."""
        future = self.submit(answer, ground_truth)
        if future.done():
            return future.result()
        try:
            # Shielded: the future belongs to everybody who asked for the same answer.
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), self._patience_s())
        except TimeoutError:
            return self._give_up(future)

    def close(self) -> None:
        """End the processes; answers on their way count as errors. The next answer starts the pool again."""
        with self._lock:
            for future in list(self._tasks):
                _resolve(future, _ERROR)
            ending = self._discard_pool()
        if ending is not None:
            ending.join()

    def pids(self) -> list[int]:
        """The grading processes of this moment."""
        with self._lock:
            return [] if self._pool is None else list(self._pool._pool_manager.worker_manager.workers)

    def _submit_cached(self, key: _Key) -> Future[Verdict]:
        with self._lock:
            if key in self._verdicts:
                self._verdicts.move_to_end(key)
                return self._verdicts[key]
            future = self._verdicts[key] = Future()
            while len(self._verdicts) > CACHE_SIZE:
                self._verdicts.popitem(last=False)
            self.graded += 1
        future.add_done_callback(lambda _: self._forget(key, future))
        self._schedule(key, future, attempts=2)
        return future

    def _forget(self, key: _Key, future: Future[Verdict]) -> None:
        with self._lock:
            self._tasks.pop(future, None)
            # An error says something about the process, not about the answer: the next one asks again.
            if future.result().error and self._verdicts.get(key) is future:
                del self._verdicts[key]

    def _schedule(self, key: _Key, future: Future[Verdict], attempts: int) -> None:
        def settle(task: Future[bool]) -> None:
            try:
                _resolve(future, Verdict(bool(task.result())))
            except TimeoutError:
                _resolve(future, Verdict(False, timed_out=True))
            except (ProcessExpired, BrokenProcessPool, CancelledError) as error:
                if getattr(error, "exitcode", None) == -grader_process.DEADLINE_SIGNAL:
                    return _resolve(future, Verdict(False, timed_out=True))
                # On a thread of its own: this callback may run inside _discard_pool, or on a loop of the broken pool.
                threading.Thread(target=self._schedule, args=(key, future, attempts - 1), daemon=True).start()
            except Exception:
                _resolve(future, _ERROR)

        with self._lock:
            if future.done():
                return
            if attempts == 0:
                return _resolve(future, _ERROR)
            try:
                task = self._running_pool().schedule(
                    grader_process.grade, args=(*key, self.deadline_s), timeout=_CLOCK_FACTOR * self.deadline_s
                )
            except Exception:  # the pool broke at this very moment, or no process can be started at all
                self._discard_pool()
                return self._schedule(key, future, attempts - 1)
            self._tasks[future] = task
        task.add_done_callback(settle)

    def _running_pool(self) -> ProcessPool:
        if self._pool is None or not self._pool.active:
            self._discard_pool()
            self._stopped = threading.Event()
            started: Future[ProcessPool] = Future()
            keeper = threading.Thread(target=self._keep_pool, args=(started, self._stopped), daemon=True)
            keeper.start()
            self._pool = started.result(timeout=_START_ALLOWANCE_S)
        return self._pool

    def _keep_pool(self, started: Future[ProcessPool], stopped: threading.Event) -> None:
        # A process that asked for PR_SET_PDEATHSIG dies with the THREAD that started it, so the first processes must
        # come from a thread that stays: the caller's may belong to an executor that shrinks.
        try:
            pool = ProcessPool(
                max_workers=self.max_workers,
                max_tasks=self.answers_per_process,
                initializer=grader_process.initialize,
                initargs=(os.getpid(), self.memory_bytes),
                context=MainlessSpawnContext(),
            )
            pool.active  # noqa: B018  pebble starts a pool when its state is first asked for
        except BaseException as error:
            started.set_exception(error)
            return
        started.set_result(pool)
        # pebble breaks a whole pool when somebody kills an idle process; what is queued then would wait for ever.
        while not stopped.wait(_WATCH_INTERVAL_S):
            if not pool.active:
                with self._lock:
                    if self._pool is pool:
                        self._discard_pool()

    def _discard_pool(self) -> threading.Thread | None:
        """Stop the pool; what it had not finished is scheduled again by the callbacks of its tasks.

        Returns the thread that waits for the pool's end, None where no pool was running.
        """
        with self._lock:
            pool, self._pool = self._pool, None
            self._stopped.set()
            if pool is None:
                return None
            pool.stop()
            ending = threading.Thread(target=pool.join, daemon=True)
            ending.start()
            for task in list(self._tasks.values()):
                task.cancel()
        return ending

    def _patience_s(self) -> float:
        turns = len(self._tasks) / self.max_workers + 1
        return _START_ALLOWANCE_S + turns * (_CLOCK_FACTOR * self.deadline_s + _RESTART_ALLOWANCE_S)

    def _give_up(self, future: Future[Verdict]) -> Verdict:
        _resolve(future, _ERROR)
        self._discard_pool()
        return future.result()


def _resolve(future: Future[Verdict], verdict: Verdict) -> None:
    with contextlib.suppress(InvalidStateError):
        future.set_result(verdict)


_pools: dict[int, GradingPool] = {}
_pools_lock = threading.Lock()


def shared_pool() -> GradingPool:
    """This process's pool, of ``GMPO_GRADERS`` processes (1 by default); a forked child gets its own."""
    with _pools_lock:
        if os.getpid() not in _pools:
            workers = os.environ.get("GMPO_GRADERS", "1")
            if not workers.isdigit() or int(workers) < 1:
                raise ValueError(f"GMPO_GRADERS must be a positive whole number, not {workers!r}")
            _pools[os.getpid()] = GradingPool(max_workers=int(workers))
        return _pools[os.getpid()]
