"""Hostile answers among ordinary ones, from many threads: each is graded, nothing hangs, grows or runs."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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

    start_s = _seconds_to_start()
    ordinary_s, _, _ = _grade_all(list(right))
    seconds, verdicts, peak_bytes = _grade_all(mixed)

    timed_out = sum(verdict.timed_out for verdict in verdicts.values())
    bound_s = (DEADLINE_S + start_s) * len(hostile) / PROCESSES + ordinary_s
    print(
        f"{total} answers, {len(hostile)} hostile, {timed_out} timed out: {seconds:.1f} s, bound {bound_s:.1f} s "
        f"(process start {start_s:.2f} s, ordinary answers {ordinary_s:.1f} s); largest process {peak_bytes >> 20} MB"
    )
    assert {question: verdicts[question] for question in right} == right
    assert not any(verdicts[question].correct for question in hostile)
    assert not code_target.exists()
    assert 0 < peak_bytes <= MEMORY_BYTES


def _seconds_to_start() -> float:
    grader = Grader(DEADLINE_S, MEMORY_BYTES, answers_per_process=10)
    started = time.monotonic()
    grader.start()
    seconds = time.monotonic() - started
    grader.stop()
    return seconds


def _grade_all(questions: list[Question]) -> tuple[float, dict[Question, Verdict], int]:
    """Seconds, verdicts, and the largest address space in bytes that any grading process had."""
    pool = GradingPool(max_workers=PROCESSES, deadline_s=DEADLINE_S, memory_bytes=MEMORY_BYTES)
    watch = _MemoryWatch(pool)
    started = time.monotonic()
    try:
        with ThreadPoolExecutor(THREADS) as executor:
            verdicts = executor.map(lambda question: pool.grade(*question), questions)
            graded = dict(zip(questions, verdicts, strict=True))
        return time.monotonic() - started, graded, watch.peak_bytes
    finally:
        watch.stop()
        pool.close()


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
