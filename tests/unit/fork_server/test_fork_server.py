"""A process started through the executable is what Python would have started, and ends with whoever started it."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from gmpo_verl.fork_server.start import EXECUTABLE, start

ABOUT_ITSELF = """
import json, os, sys
print(json.dumps([sys.argv, os.getcwd(), dict(os.environ), sys.stdin.read(), "decimal" in sys.modules, __name__]))
sys.exit(7)
"""
SLEEPS = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    children = set(psutil.Process().children())
    yield str(start(tmp_path_factory.mktemp("forks"), ["decimal"]))
    for child in set(psutil.Process().children()) - children:
        child.kill()
        child.wait()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    assert condition()


def sleeping(python: str, **arguments: Any) -> "tuple[subprocess.Popen[bytes], int]":
    """A client whose fork sleeps, and the pid of the fork."""
    client = subprocess.Popen([python, "-c", SLEEPS], stdout=subprocess.PIPE, env=environment(python), **arguments)
    assert client.stdout is not None
    return client, int(client.stdout.readline())


def environment(python: str) -> dict[str, str]:
    return os.environ | {EXECUTABLE: python}


@pytest.mark.parametrize("flags", [[], ["-B", "-u"]])
def test_a_fork_has_the_arguments_environment_directory_and_files_of_its_client(python, tmp_path, flags):
    script = tmp_path / "a script.py"
    script.write_text(ABOUT_ITSELF)
    variables = {"ONLY": "this", EXECUTABLE: python}
    for command, arguments in ((["-c", ABOUT_ITSELF], ["-c"]), ([str(script)], [str(script)])):
        result = subprocess.run(
            [python, *flags, *command, "a b", "--c"],
            env=variables,
            cwd=tmp_path,
            input="some text",
            capture_output=True,
            text=True,
        )
        assert result.returncode == 7 and result.stderr == ""
        argv, directory, given, text, has_imported, name = json.loads(result.stdout)
        assert argv == [*arguments, "a b", "--c"]
        assert directory == str(tmp_path)
        assert variables.items() <= given.items() and "HOME" not in given
        assert text == "some text"
        assert has_imported and name == "__main__"


def test_an_exception_ends_a_fork_as_it_ends_python(python):
    result = subprocess.run(
        [python, "-c", "1 / 0"], env=environment(python), capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 1 and "ZeroDivisionError" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_client_ends_both_by_that_signal(python, number):
    client, fork = sleeping(python)
    client.send_signal(number)
    assert client.wait(timeout=20) == -number
    until(lambda: not psutil.pid_exists(fork))


def test_a_fork_that_is_killed_ends_its_client_alike(python):
    client, fork = sleeping(python)
    os.kill(fork, signal.SIGKILL)
    assert client.wait(timeout=20) == -signal.SIGKILL


def test_a_fork_ends_when_the_starter_of_its_client_dies(python):
    program = f"import subprocess; subprocess.run([{python!r}, '-c', {SLEEPS!r}])"
    starter = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment(python))
    assert starter.stdout is not None
    fork = int(starter.stdout.readline())
    starter.kill()
    starter.wait()
    until(lambda: not psutil.pid_exists(fork))


def test_multiprocessing_spawns_forks_and_sees_them_end(python, monkeypatch):
    monkeypatch.setenv(EXECUTABLE, python)
    context = multiprocessing.get_context("spawn")
    multiprocessing.set_executable(python)
    try:
        reader, writer = context.Pipe(duplex=False)
        child = context.Process(target=writer.send, args=("sent",))
        child.start()
        writer.close()
        assert reader.recv() == "sent"
        with pytest.raises(EOFError):  # nobody but the fork held the other end
            reader.recv()
        child.join(timeout=20)
        assert child.exitcode == 0
    finally:
        multiprocessing.set_executable(sys.executable)


def test_forks_draw_different_numbers(tmp_path):
    server_of_numpy = str(start(tmp_path, ["numpy"]))
    code = "import numpy, random; print(numpy.random.randint(2**31), random.random())"
    command = [server_of_numpy, "-c", code]
    drawn = [subprocess.check_output(command, env=environment(server_of_numpy)).split() for _ in range(2)]
    assert drawn[0][0] != drawn[1][0] and drawn[0][1] != drawn[1][1]


def test_workers_that_are_forks_draw_different_identifiers_of_rays(tmp_path):
    server = str(start(tmp_path))
    code = (
        "import sys; assert 'verl' in sys.modules; from ray._raylet import JobID, TaskID;"
        "print(TaskID.for_fake_task(JobID.from_int(1)))"
    )
    first, second = (subprocess.check_output([server, "-c", code], env=environment(server)) for _ in range(2))
    assert first != second


def test_a_server_that_has_drawn_one_of_rays_identifiers_makes_no_forks(tmp_path, monkeypatch):
    (tmp_path / "draws.py").write_text(
        "from ray._raylet import JobID, TaskID\ndrawn = TaskID.for_fake_task(JobID.from_int(1))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    python = str(start(tmp_path, ["draws"]))
    result = subprocess.run([python, "-c", "import sys; sys.exit('draws' in sys.modules)"], timeout=60)
    assert result.returncode == 0
    assert "no forks: an import has drawn" in (tmp_path / "fork_server.log").read_text()


def test_rays_actor_classes_still_draw_at_import():
    code = (
        "import contextlib, ray; from gmpo_verl.fork_server import ray_ids\n"
        "for place in (ray_ids.undrawn, contextlib.nullcontext):\n"
        "    with place():\n"
        "        ray.remote(type('Actor', (), {}))\n"
        "    print(ray_ids.forks_draw_alike())\n"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "True"]


def test_without_a_server_the_client_is_python(tmp_path: Path):
    python = str(start(tmp_path, ["a_module_that_does_not_exist"]))
    result = subprocess.run([python, "-c", "import sys; sys.exit('decimal' in sys.modules)"], timeout=60)
    assert result.returncode == 0
    assert "a_module_that_does_not_exist" in (tmp_path / "fork_server.log").read_text()


def test_forks_end_with_their_server(tmp_path):
    children = set(psutil.Process().children())
    client, fork = sleeping(str(start(tmp_path, ["decimal"])))
    (server,) = (p for p in set(psutil.Process().children()) - children if p.pid != client.pid)
    server.kill()
    assert client.wait(timeout=20) == -signal.SIGKILL
    until(lambda: not psutil.pid_exists(fork))
