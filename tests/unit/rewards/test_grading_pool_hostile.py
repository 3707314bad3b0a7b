"""Hostile answers among ordinary ones, from many threads: each is graded, nothing hangs, grows or runs."""

import random
import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from hostile_answers import hostile_answer, ordinary_answer

from gmpo_verl.rewards.grader import Grader
from gmpo_verl.rewards.grading_pool import GradingPool, Verdict

THREADS = 8
PROCESSES = 2
DEADLINE_S = 0.5
MEMORY_BYTES = 512 << 20

Question = tuple[str, str]


@pytest.mark.parametrize("total", [320, pytest.param(10_000, marks=pytest.mark.long)])
def test_one_hostile_answer_in_ten_disturbs_no_other(total: int, tmp_path: Path) -> None:
    code_target = tmp_path / "code-was-run"
    hostile = [hostile_answer(index, code_target) for index in range(total // 10)]
    ordinary = [ordinary_answer(index) for index in range(total - len(hostile))]
    right = {(answer, truth): Verdict(is_right) for answer, truth, is_right in ordinary}
    mixed = hostile + list(right)
    random.Random(0).shuffle(mixed)

    start, alone, run = _start(), _grade_all(list(right)), _grade_all(mixed)

    timed_out = sum(verdict.timed_out for verdict in run.verdicts.values())
    bound_s = (DEADLINE_S + start.seconds) * len(hostile) / PROCESSES + alone.seconds
    bound_cpu_s = (DEADLINE_S + start.cpu_s) * len(hostile) + alone.cpu_s
    print(
        f"{total} answers, {len(hostile)} hostile, {timed_out} timed out: {run.seconds:.1f} s (at most {bound_s:.1f} "
        f"where nothing else runs), {run.cpu_s:.1f} s of processor time (at most {bound_cpu_s:.1f}); "
        f"largest process {run.peak_bytes >> 20} MB"
    )
    assert {question: run.verdicts[question] for question in right} == right
    assert not any(run.verdicts[question].correct for question in hostile)
    assert not code_target.exists()
    assert 0 < run.peak_bytes <= MEMORY_BYTES


class _Run(NamedTuple):
    """``cpu_s`` counts the grading processes, all of their ends included; ``peak_bytes`` is of the largest one."""

    seconds: float
    cpu_s: float
    verdicts: dict[Question, Verdict]
    peak_bytes: int = 0


def _start() -> _Run:
    started, cpu_before = time.monotonic(), _ended_processes_cpu_s()
    grader = Grader(DEADLINE_S, MEMORY_BYTES, answers_per_process=10)
    grader.start()
    seconds = time.monotonic() - started
    grader.stop()
    return _Run(seconds, _ended_processes_cpu_s() - cpu_before, {})


def _grade_all(questions: list[Question]) -> _Run:
    pool = GradingPool(max_workers=PROCESSES, deadline_s=DEADLINE_S, memory_bytes=MEMORY_BYTES)
    watch = _MemoryWatch(pool)
    started, cpu_before = time.monotonic(), _ended_processes_cpu_s()
    try:
        with ThreadPoolExecutor(THREADS) as executor:
            verdicts = executor.map(lambda question: pool.grade(*question), questions)
            graded = dict(zip(questions, verdicts, strict=True))
        seconds = time.monotonic() - started
    finally:
        watch.stop()
        pool.close()
    return _Run(seconds, _ended_processes_cpu_s() - cpu_before, graded, watch.peak_bytes)


def _ended_processes_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class _MemoryWatch:
    """The largest address space that any process of a pool has."""

    def __init__(self, pool: GradingPool) -> None:
        self._pool = pool
        self._stop = threading.Event()
        self.peak_bytes = 0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            for pid in self._pool.pids():
                try:
                    self.peak_bytes = max(self.peak_bytes, psutil.Process(pid).memory_info().vms)
                except psutil.NoSuchProcess:
                    continue

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
