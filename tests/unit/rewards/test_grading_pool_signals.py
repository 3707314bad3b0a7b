"""Somebody kills or stops grading processes, or their owner."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from hostile_answers import ordinary_answer

from gmpo_verl.rewards import grader
from gmpo_verl.rewards.grading_pool import GradingPool, Verdict

HANGS = "3219313^{33923273}"
ERROR = Verdict(False, error=True)


@pytest.fixture
def pool() -> Iterator[GradingPool]:
    """With its process and its spare warm."""
    pool = GradingPool(deadline_s=20.0)
    _warm_up(pool)
    yield pool
    pool.close()


def test_an_answer_whose_process_is_killed_is_graded_once_more_then_an_error(pool: GradingPool) -> None:
    verdict = pool.submit(HANGS, "12")
    killed = []
    for _ in range(2):
        killed.append(_busy_process(pool, other_than=killed))
        assert not verdict.done()
        os.kill(killed[-1], signal.SIGKILL)
    assert verdict.result() == ERROR
    assert _grades_right(pool, range(20))


def test_processes_killed_at_random_cost_no_right_verdict(pool: GradingPool) -> None:
    questions = [ordinary_answer(index) for index in range(300)]
    verdicts = [pool.submit(answer, truth) for answer, truth, _ in questions]
    kills, chance = 0, random.Random(0)
    while kills < 8 and not verdicts[-1].done():
        time.sleep(chance.uniform(0.0, 0.5))
        if pids := pool.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(pids), signal.SIGKILL)
                kills += 1
    others = [
        verdict.result()
        for verdict, (_, _, right) in zip(verdicts, questions, strict=True)
        if verdict.result() != Verdict(right)
    ]
    assert others == [ERROR] * len(others)
    assert len(others) <= kills / 2  # an error was killed at both attempts


@pytest.mark.parametrize("pause_s", [0.0, 0.2, 1.0])
def test_idle_processes_that_are_killed_are_replaced(pool: GradingPool, pause_s: float) -> None:
    for pid in pool.pids():
        os.kill(pid, signal.SIGKILL)
    time.sleep(pause_s)
    assert _grades_right(pool, range(4))


def test_a_process_killed_while_it_starts_is_started_again() -> None:
    pool = GradingPool()
    try:
        others = set(psutil.Process().children())
        verdict = pool.submit("(x+1)^2", "x^2+2x+1")
        killed = 0
        while killed < 2 and not verdict.done():
            for child in set(psutil.Process().children()) - others:
                if "spawn_main" in " ".join(child.cmdline()) and child.pid not in pool.pids():
                    child.kill()
                    killed += 1
                    others.add(child)
        assert killed == 2 and verdict.result() == Verdict(True)
    finally:
        pool.close()


def test_stopped_processes_are_replaced(pool: GradingPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grader, "_CLOCK_FACTOR", 0.1)
    stopped = pool.pids()[0]
    os.kill(stopped, signal.SIGSTOP)
    assert _grades_right(pool, range(8))
    busy_answer = pool.submit(HANGS, "12")
    for _ in range(2):
        os.kill(_busy_process(pool, other_than=[stopped]), signal.SIGSTOP)
    assert busy_answer.result() == ERROR
    assert _grades_right(pool, range(8, 16))


def test_closing_ends_what_is_on_its_way_and_every_process() -> None:
    pool = GradingPool(max_workers=2, deadline_s=20.0)
    _warm_up(pool)
    pids = pool.pids()
    with ThreadPoolExecutor(8) as executor:
        hanging = [executor.submit(pool.grade, HANGS, str(index + 10)) for index in range(4)]
        grading = [executor.submit(pool.grade, *ordinary_answer(index)[:2]) for index in range(100)]
        time.sleep(0.5)
        closing = [threading.Thread(target=pool.close) for _ in range(2)]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()
        assert not any(psutil.pid_exists(pid) for pid in pids)
        # Later ones have started the pool again.
        assert all(verdict.result() in (ERROR, Verdict(True), Verdict(False)) for verdict in grading)
        pool.close()
        assert [verdict.result() for verdict in hanging] == [ERROR] * 4
    pool.close()


OWNER = """
    import sys
    from gmpo_verl.rewards.grading_pool import GradingPool
    assert "runs" not in sys.argv, "this script was started a second time"
    sys.argv.append("runs")
    pool = GradingPool(deadline_s=60.0)
    assert pool.grade("(x+1)^2", "x^2+2x+1").correct
    while len(pool.pids()) < 2:
        pass
    verdict = pool.submit("3219313^{33923273}", "12")
    print(*pool.pids(), flush=True)
"""


def test_an_owner_without_main_guard_is_not_run_again_and_killed_leaves_no_process(tmp_path: Path) -> None:
    owner = _started_script(tmp_path, OWNER + "    verdict.result()\n")
    try:
        pids = {int(pid) for pid in owner.stdout.readline().split()}
        assert len(pids) == 2
        time.sleep(0.5)  # one process is inside an operation of big integers now
        children = psutil.Process(owner.pid).children(recursive=True)
        assert pids <= {child.pid for child in children}
    finally:
        owner.kill()
        owner.wait()
    assert not psutil.wait_procs(children, timeout=5)[1]


def test_an_owner_that_ends_without_closing_ends_with_0_and_leaves_no_process(tmp_path: Path) -> None:
    owner = _started_script(tmp_path, OWNER)
    output, _ = owner.communicate(timeout=60)
    assert owner.returncode == 0
    assert not any(psutil.pid_exists(int(pid)) for pid in output.split())


FORKING_OWNER = (
    OWNER
    + """
    import os
    before = pool.pids()
    child = os.fork()
    if child == 0:
        assert pool.grade("(x+2)^2", "x^2+4x+4").correct
        assert not set(pool.pids()) & set(before)
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    for pid in before:
        os.kill(pid, 0)
    assert not verdict.done() and pool.pids() == before
    assert pool.graded == 2
"""
)


def test_a_fork_of_the_owner_grades_with_processes_of_its_own(tmp_path: Path) -> None:
    owner = _started_script(tmp_path, FORKING_OWNER, stderr=subprocess.PIPE)
    _, errors = owner.communicate(timeout=120)
    assert (owner.returncode, errors) == (0, "")


def _started_script(folder: Path, text: str, **options: int) -> "subprocess.Popen[str]":
    script = folder / "owner.py"
    script.write_text(textwrap.dedent(text))
    return subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, **options)


def _warm_up(pool: GradingPool) -> None:
    assert pool.grade("(x+1)^2", "x^2+2x+1").correct
    while len(pool.pids()) <= pool.max_workers:
        time.sleep(0.02)


def _grades_right(pool: GradingPool, indices: range) -> bool:
    questions = [ordinary_answer(index) for index in indices]
    return all(pool.grade(answer, truth) == Verdict(right) for answer, truth, right in questions)


def _busy_process(pool: GradingPool, other_than: list[int]) -> int:
    """The grading process that computes: the first to use a tenth of a second from now on."""
    used: dict[int, float] = {}
    while True:
        for pid in pool.pids():
            if pid in other_than:
                continue
            try:
                times = psutil.Process(pid).cpu_times()
            except psutil.NoSuchProcess:
                continue
            if times.user + times.system - used.setdefault(pid, times.user + times.system) > 0.1:
                return pid
        time.sleep(0.02)
