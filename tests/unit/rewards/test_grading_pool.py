import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from gmpo_verl.rewards import grader_process, grading_pool
from gmpo_verl.rewards.grading_pool import GradingPool, Verdict

HANGS = "3219313^{33923273}"
NEEDS_MATHEMATICS = ("(x+1)^2", "x^2+2x+1")


@pytest.fixture
def pool() -> Iterator[GradingPool]:
    pool = GradingPool()
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[GradingPool]:
    pool = GradingPool(deadline_s=5.0)
    yield pool
    pool.close()


def test_text_that_decides_starts_no_process(pool: GradingPool) -> None:
    assert pool.grade("46", "46") == Verdict(True)
    assert pool.grade("47", 46.0) == Verdict(False)
    assert pool.pids() == [] and pool.graded == 0


def test_mathematics_is_graded_in_a_process(shared: GradingPool) -> None:
    assert shared.grade(*NEEDS_MATHEMATICS) == Verdict(True)
    assert shared.grade("(x+1)^3", "x^2+2x+1") == Verdict(False)
    assert len(shared.pids()) == 1


@pytest.mark.parametrize("ground_truth", [None, float("nan"), "", []])
def test_an_unusable_ground_truth_is_an_error(pool: GradingPool, ground_truth: object) -> None:
    assert pool.grade("46", ground_truth) == Verdict(False, error=True)


def test_what_hangs_is_killed_at_the_deadline_in_a_thread_and_in_asyncio(pool: GradingPool) -> None:
    assert pool.grade(*NEEDS_MATHEMATICS).correct  # the start of the first process is no part of the deadline
    limit = 4 * pool.deadline_s + 1.0  # on the clock, however busy the machine
    start = time.monotonic()
    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(pool.grade, HANGS, "12").result() == Verdict(False, timed_out=True)
    assert time.monotonic() - start < limit
    assert pool.grade("(y+1)^2", "y^2+2y+1").correct
    start = time.monotonic()
    assert asyncio.run(pool.grade_async("10^{10^{10}}", "12")) == Verdict(False, timed_out=True)
    assert time.monotonic() - start < limit
    assert pool.grade("(z+1)^2", "z^2+2z+1").correct


def test_the_event_loop_runs_on_while_an_answer_is_graded(pool: GradingPool) -> None:
    async def ticks_while_grading() -> int:
        grading = asyncio.create_task(pool.grade_async(HANGS, "12"))
        ticks = 0
        while not grading.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    assert asyncio.run(ticks_while_grading()) > 20


def test_equal_answers_are_graded_once(shared: GradingPool) -> None:
    before = shared.graded
    with ThreadPoolExecutor(8) as executor:
        verdicts = list(executor.map(lambda _: shared.grade("(z+1)^2", "z^2+2z+1"), range(8)))
    assert verdicts == [Verdict(True)] * 8
    assert shared.graded == before + 1


def test_a_killed_process_costs_one_repetition(pool: GradingPool) -> None:
    pool.deadline_s = 20.0
    pool.grade(*NEEDS_MATHEMATICS)
    future = pool.submit(HANGS, "12")
    killed = []
    for _ in range(2):  # the first attempt, then the repetition
        pid = _busy_process(pool, other_than=killed)
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)
    assert future.result(timeout=10) == Verdict(False, error=True)
    assert pool.grade("(w+1)^2", "w^2+2w+1") == Verdict(True)


def test_an_idle_process_that_is_killed_is_replaced(pool: GradingPool) -> None:
    pool.deadline_s = 5.0
    pool.grade(*NEEDS_MATHEMATICS)
    for index in range(3):
        (pid,) = pool.pids()
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.25 * index)  # before and after the pool notices
        assert pool.grade(f"(x+1)^2+{index}y", f"x^2+2x+1+{index}y") == Verdict(True)


def test_a_process_is_renewed_after_its_answers() -> None:
    pool = GradingPool(answers_per_process=2, deadline_s=5.0)
    try:
        pids = set()
        for index in range(4):
            assert pool.grade(f"(x+1)^2+{index}a", f"x^2+2x+1+{index}a").correct
            pids.update(pool.pids())
        assert len(pids) >= 2
    finally:
        pool.close()


def test_the_threads_that_ask_may_end(shared: GradingPool) -> None:
    pool = GradingPool(deadline_s=5.0)
    try:
        thread = threading.Thread(target=pool.grade, args=NEEDS_MATHEMATICS)
        thread.start()
        thread.join()
        pids = pool.pids()
        time.sleep(0.5)
        assert pool.pids() == pids and psutil.pid_exists(pids[0])
    finally:
        pool.close()


def test_a_process_loads_neither_torch_nor_verl_nor_ray_and_stays_small(shared: GradingPool) -> None:
    shared.grade(*NEEDS_MATHEMATICS)
    modules = shared._running_pool().schedule(grader_process.loaded_modules).result(timeout=20)
    assert "sympy" in modules
    assert not {"torch", "verl", "ray", "numpy", "transformers", "pytest"} & set(modules)
    (pid,) = shared.pids()
    assert psutil.Process(pid).memory_info().rss < 200 << 20


def test_the_address_space_of_a_process_is_bounded() -> None:
    pool = GradingPool(memory_bytes=256 << 20, deadline_s=20.0)
    try:
        assert pool.grade(*NEEDS_MATHEMATICS).correct
        (pid,) = pool.pids()
        assert psutil.Process(pid).rlimit(psutil.RLIMIT_AS) == (256 << 20, 256 << 20)
        with pytest.raises(MemoryError):
            pool._running_pool().schedule(bytearray, args=(512 << 20,)).result(timeout=20)
    finally:
        pool.close()


def test_close_leaves_no_process_and_ends_what_waits() -> None:
    pool = GradingPool(deadline_s=30.0)
    pool.grade(*NEEDS_MATHEMATICS)
    pids = pool.pids()
    future = pool.submit(HANGS, "12")
    time.sleep(0.2)
    pool.close()
    assert future.result(timeout=1) == Verdict(False, error=True)
    assert not any(psutil.pid_exists(pid) for pid in pids)


OWNER = """
    import sys
    from gmpo_verl.rewards.grading_pool import GradingPool
    assert "runs" not in sys.argv, "this script was started a second time"
    sys.argv.append("runs")
    pool = GradingPool(deadline_s=60.0)
    assert pool.grade("(x+1)^2", "x^2+2x+1").correct
    future = pool.submit("3219313^{33923273}", "12")
    print(*pool.pids(), flush=True)
    future.result()
"""


def test_an_owner_without_main_guard_is_not_run_again_and_killed_leaves_no_process(tmp_path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(textwrap.dedent(OWNER))
    owner = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    try:
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(pids) == 1
        time.sleep(0.3)  # the process is inside one operation of big integers now
        children = psutil.Process(owner.pid).children(recursive=True)
    finally:
        owner.kill()
        owner.wait()
    gone, alive = psutil.wait_procs(children, timeout=5)
    assert not alive and pids[0] in {process.pid for process in gone}


def test_the_shared_pools_size_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grading_pool, "_pools", {})
    monkeypatch.setenv("GMPO_GRADERS", "3")
    assert grading_pool.shared_pool().max_workers == 3
    assert grading_pool.shared_pool() is grading_pool.shared_pool()
    monkeypatch.setattr(grading_pool, "_pools", {})
    monkeypatch.setenv("GMPO_GRADERS", "none")
    with pytest.raises(ValueError, match="GMPO_GRADERS"):
        grading_pool.shared_pool()


def _busy_process(pool: GradingPool, other_than: list[int]) -> int:
    """The grading process that computes: it has used processor time beyond its start."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        for pid in pool.pids():
            if pid not in other_than:
                running = pool._pool is not None and [
                    task for task in list(pool._pool._pool_manager.task_manager.tasks.values()) if task.worker_id == pid
                ]
                if running:
                    return pid
        time.sleep(0.02)
    raise AssertionError("no process took the answer")
