import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from gmpo_verl.rewards import grading_pool
from gmpo_verl.rewards.grader import Grader
from gmpo_verl.rewards.grading_pool import GradingPool, Verdict
from gmpo_verl.supervisor.shared_memory import SHARED_MEMORY, inodes_in_use

HANGS = "3219313^{33923273}"
NEEDS_MATHEMATICS = ("(x+1)^2", "x^2+2x+1")
TIMED_OUT, ERROR = Verdict(False, timed_out=True), Verdict(False, error=True)


@pytest.fixture
def pool() -> Iterator[GradingPool]:
    pool = GradingPool()
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[GradingPool]:
    pool = GradingPool(deadline_s=0.5)
    yield pool
    pool.close()


def test_text_that_decides_starts_no_process(pool: GradingPool) -> None:
    assert pool.grade("46", "46") == Verdict(True)
    assert pool.grade("47", 46.0) == Verdict(False)
    assert pool.pids() == [] and pool.graded == 0


def test_mathematics_is_graded_in_a_process(shared: GradingPool) -> None:
    assert shared.grade(*NEEDS_MATHEMATICS) == Verdict(True)
    assert shared.grade("(x+1)^3", "x^2+2x+1") == Verdict(False)
    assert shared.grade("x+1", ["x+2", "1+x"]) == Verdict(True)


@pytest.mark.parametrize("ground_truth", [None, float("nan"), "", []])
def test_an_unusable_ground_truth_is_an_error(pool: GradingPool, ground_truth: object) -> None:
    assert pool.grade("46", ground_truth) == ERROR


def test_what_hangs_is_killed_at_the_deadline_in_a_thread_and_in_asyncio(shared: GradingPool) -> None:
    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(shared.grade, HANGS, "12").result() == TIMED_OUT
    assert shared.grade("(y+1)^2", "y^2+2y+1").correct
    assert asyncio.run(shared.grade_async("10^{10^{10}}", "12")) == TIMED_OUT
    assert shared.grade("(w+1)^2", "w^2+2w+1").correct


def test_the_event_loop_runs_on_while_an_answer_is_graded(shared: GradingPool) -> None:
    async def ticks_while_grading() -> int:
        grading = asyncio.create_task(shared.grade_async("10^{10^{11}}", "12"))
        ticks = 0
        while not grading.done():
            await asyncio.sleep(0.001)
            ticks += 1
        return ticks

    assert asyncio.run(ticks_while_grading()) > 20


def test_who_no_longer_waits_takes_the_answer_from_nobody(shared: GradingPool) -> None:
    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(shared.grade_async("(v+1)^2+10^{10^{12}}", "12"), timeout=0.05)

    asyncio.run(impatient())
    verdict = shared.submit("(v+1)^2+10^{10^{12}}", "12")
    assert not verdict.cancel()
    assert verdict.result() == TIMED_OUT


def test_equal_answers_are_graded_once(shared: GradingPool) -> None:
    before = shared.graded
    with ThreadPoolExecutor(8) as executor:
        verdicts = list(executor.map(lambda _: shared.grade("(z+1)^2", "z^2+2z+1"), range(8)))
    assert verdicts == [Verdict(True)] * 8
    assert shared.graded == before + 1


def test_a_process_is_renewed_after_its_answers_and_the_first_one_after_that_is_graded() -> None:
    pool = GradingPool(answers_per_process=3, deadline_s=1.0)
    pids = set()
    try:
        for index in range(12):
            assert pool.grade(f"(x+1)^2+{index}a", f"x^2+2x+1+{index}a") == Verdict(True)
            pids.update(pool.pids())
        assert len(pids) >= 4
    finally:
        pool.close()


def test_a_warm_spare_takes_over_where_a_process_is_killed() -> None:
    pool = GradingPool(deadline_s=1.0)
    try:
        pool.grade(*NEEDS_MATHEMATICS)
        while len(pool.pids()) < 2:
            time.sleep(0.05)
        before = set(pool.pids())
        hanging, next_one = pool.submit(HANGS, "12"), pool.submit("(u+1)^2", "u^2+2u+1")
        assert hanging.result() == TIMED_OUT
        (survivor,) = before & set(pool.pids())
        assert next_one.result() == Verdict(True)
        assert survivor in pool.pids()
    finally:
        pool.close()


def test_the_threads_that_ask_may_end(pool: GradingPool) -> None:
    thread = threading.Thread(target=pool.grade, args=NEEDS_MATHEMATICS)
    thread.start()
    thread.join()
    (pid, *_) = pool.pids()
    time.sleep(0.5)
    assert pid in pool.pids() and psutil.pid_exists(pid)


def test_a_process_loads_sympy_and_neither_torch_nor_verl_nor_ray() -> None:
    grader = Grader(deadline_s=5.0, memory_bytes=1 << 30, answers_per_process=10)
    try:
        grader.start()
        modules = grader._run(eval, "sorted(__import__('sys').modules)", limit_s=60)
        assert "sympy" in modules
        assert not {"torch", "verl", "ray", "numpy", "transformers", "pytest"} & set(modules)
        assert psutil.Process(grader.pid).memory_info().rss < 200 << 20
    finally:
        grader.stop()


def test_a_pool_has_nothing_in_shared_memory_that_could_stay_behind(shared: GradingPool) -> None:
    assert shared.grade(*NEEDS_MATHEMATICS).correct
    assert shared.pids() and not any(inodes_in_use(pid, SHARED_MEMORY) for pid in shared.pids())


def test_the_address_space_of_a_process_is_bounded() -> None:
    pool = GradingPool(memory_bytes=256 << 20)
    try:
        assert pool.grade(*NEEDS_MATHEMATICS).correct
        (pid, *_) = pool.pids()
        assert psutil.Process(pid).rlimit(psutil.RLIMIT_AS) == (256 << 20, 256 << 20)
    finally:
        pool.close()


def test_where_no_process_can_start_answers_are_errors_and_one_sentence_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)  # verl's vLLM server, once imported, lets the root logger pass errors alone
    pool = GradingPool(memory_bytes=1 << 20)
    try:
        verdicts = [pool.submit(f"(x+{index})^2", f"x^2+{2 * index}x+{index**2}") for index in range(1, 6)]
        assert [verdict.result() for verdict in verdicts] == [ERROR] * 5
        assert pool.grade("46", "46") == Verdict(True)
    finally:
        pool.close()
    assert "no grading process starts" in caplog.text


def test_the_shared_pools_size_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grading_pool, "_shared", None)
    monkeypatch.setenv("GMPO_GRADERS", "3")
    assert grading_pool.shared_pool().max_workers == 3
    assert grading_pool.shared_pool() is grading_pool.shared_pool()
    monkeypatch.setattr(grading_pool, "_shared", None)
    monkeypatch.setenv("GMPO_GRADERS", "none")
    with pytest.raises(ValueError, match="GMPO_GRADERS"):
        grading_pool.shared_pool()
