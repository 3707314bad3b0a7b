"""A worker that is killed takes with it what it has started."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

_WORKER = """
import subprocess, sys, time
from gmpo_verl.evaluation.guard import guarded_group
with guarded_group():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print(child.pid, flush=True)
    sys.stdin.readline()
print("ended", flush=True)
"""


@pytest.fixture
def worker():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", _WORKER], start_new_session=True, **pipes)
    yield process
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def group(leader):
    """The living processes of a process group, its leader excepted."""

    def belongs(process):
        try:
            return os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, ProcessLookupError):
            return False

    return [process.pid for process in psutil.process_iter() if process.pid != leader and belongs(process)]


def test_a_killed_worker_leaves_nothing(worker):
    child = int(worker.stdout.readline())
    assert len(group(worker.pid)) == 2  # the child and the guard
    worker.kill()
    worker.wait()
    end = time.monotonic() + 10
    while group(worker.pid) and time.monotonic() < end:
        time.sleep(0.1)
    assert group(worker.pid) == []
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_a_worker_that_ends_takes_its_guard_with_it_and_nothing_else(worker):
    child = int(worker.stdout.readline())
    worker.stdin.write("end\n")
    worker.stdin.flush()
    assert worker.stdout.readline() == "ended\n"
    worker.wait()
    time.sleep(3)
    assert group(worker.pid) == [child]


def test_the_guard_holds_no_output_open(worker):
    child = int(worker.stdout.readline())
    worker.kill()
    os.kill(child, signal.SIGKILL)
    assert worker.stdout.read() == ""
