"""Roles from the titles that Ray 2.60, verl 0.9.1 and vLLM give their processes."""

import subprocess
import sys
import time

import psutil
import pytest

from gmpo_verl.supervisor.process_tree import command_line
from gmpo_verl.supervisor.roles import RoleWatch, role_of


@pytest.mark.parametrize(
    "title, role",
    [
        ("ray::GMPOTaskRunner.run", "task runner"),
        ("ray::TaskRunnerV1", "task runner"),
        ("ray::WorkerDict.actor_rollout_ref_update_actor", "FSDP worker"),
        ("ray::vLLMHttpServer.launch_server", "vLLM server"),
        ("VLLM::EngineCore", "vLLM engine"),
        ("VLLM::EngineCore_DP1", "vLLM engine"),
        ("ray::RewardLoopWorker", "reward worker"),
        ("ray::AgentLoopWorkerTQ.generate_sequences", "agent-loop worker"),
        ("/venv/lib/ray/core/src/ray/raylet/raylet --raylet_socket_name=/tmp/x", "raylet"),
        ("/venv/lib/ray/core/src/ray/gcs/gcs_server --log_dir=/tmp/x", "Ray's control server (gcs_server)"),
        ("ray::IDLE", None),
        ("ray::get_master_addr_port", None),
        ("ray::DashboardAgent", None),
        ("/venv/bin/python default_worker.py --raylet-name=/tmp/x/sockets/raylet", None),
        ("vim raylet", None),
        ("", None),
    ],
)
def test_role_of_a_title(title: str, role: str | None) -> None:
    assert role_of(title) == role


def titled(*pids: int) -> list[psutil.Process]:
    """These processes, once they have titles: just after it was started a process has none yet."""
    processes = [psutil.Process(pid) for pid in pids]
    for process in processes:
        for _ in range(500):
            if command_line(process):
                break
            time.sleep(0.01)
    return processes


def test_a_lost_process_is_told_once_with_its_role_and_wakes_the_watcher() -> None:
    code = "import time; time.sleep(60)"
    child = subprocess.Popen(["ray::WorkerDict", "-c", code], executable=sys.executable)
    watch = RoleWatch()
    watch.discover(titled(child.pid))
    assert watch.lost() == [] and len(watch.wake_ups()) == 1
    child.kill()
    child.wait()
    assert [str(lost) for lost in watch.lost()] == [f"FSDP worker (pid {child.pid})"]
    assert watch.lost() == [] and watch.wake_ups() == []


def test_what_ends_with_its_parent_is_not_named() -> None:
    sleep = "import time; time.sleep(60)"
    child = f"subprocess.Popen(['VLLM::EngineCore', '-c', {sleep!r}], executable={sys.executable!r})"
    code = f"import subprocess; print({child}.pid, flush=True); {sleep}"
    server = subprocess.Popen(
        ["ray::vLLMHttpServer", "-c", code], executable=sys.executable, stdout=subprocess.PIPE, text=True
    )
    other = subprocess.Popen(["ray::RewardLoopWorker", "-c", sleep], executable=sys.executable)
    assert server.stdout is not None
    engine = psutil.Process(int(server.stdout.readline()))
    watch = RoleWatch()
    watch.discover(titled(engine.pid, server.pid, other.pid))
    server.kill()
    engine.kill()
    other.kill()
    server.wait()
    other.wait()
    psutil.wait_procs([engine], timeout=5)
    assert {lost.role for lost in watch.lost()} == {"vLLM server", "reward worker"}


def test_a_fork_is_not_what_its_parent_is() -> None:
    code = "import os, time; pid = os.fork(); pid and print(pid, flush=True); time.sleep(60)"
    raylet = subprocess.Popen(["/ray/raylet", "-c", code], executable=sys.executable, stdout=subprocess.PIPE, text=True)
    assert raylet.stdout is not None
    fork = int(raylet.stdout.readline())
    watch = RoleWatch()
    watch.discover(titled(raylet.pid, fork))
    psutil.Process(fork).kill()
    assert watch.lost() == []
    raylet.kill()
    raylet.wait()
    assert [lost.role for lost in watch.lost()] == ["raylet"]
