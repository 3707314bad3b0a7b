"""A node's step: what it passes on, when it ends, and that nothing of it stays."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

STEP = Path(__file__).with_name("slurm_step.py")
SLEEP = "import time; print('up', flush=True); time.sleep(60)"
SAVES = "import signal, sys, time; signal.signal(signal.SIGUSR1, lambda *_: sys.exit(75)); time.sleep(60)"


class Step:
    def __init__(self, folder: Path, role: str, code: str, address: str = "", seconds: float = 20) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, str(STEP), role, address, str(folder), str(seconds), code],
            env={"TMPDIR": str(self.temporary), "SLURMD_NODENAME": "n2", "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def output_until(self, words: str) -> str:
        """What it has printed when these words come."""
        assert self.process.stdout is not None
        lines = ""
        for line in self.process.stdout:
            lines += line
            if words in line:
                return lines
        raise AssertionError(f"no {words!r} in: {lines}")

    def end(self) -> tuple[int, str]:
        output, _ = self.process.communicate(timeout=40)
        return self.process.returncode, output


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    assert not list((tmp_path / "tmp").iterdir())


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield server


def address_of(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


def test_the_heads_exit_code_is_the_trainings_which_gets_the_options(folder: Path) -> None:
    assert Step(folder, "head", "import sys; sys.exit(7 if sys.argv[1:] == ['a b'] else 1)").end() == (7, "")


def test_a_training_that_a_signal_killed_ends_the_head_as_a_shell_would(folder: Path) -> None:
    assert Step(folder, "head", "import os; os.kill(os.getpid(), 9)").end()[0] == 137


def test_the_batch_scripts_word_becomes_a_signal_to_the_training(folder: Path) -> None:
    step = Step(folder, "head", SAVES)
    time.sleep(1)
    (folder / "save").touch()
    assert step.end()[0] == 75 and (folder / "no_step").exists()


def test_a_word_that_comes_before_the_training_keeps_it_from_starting(folder: Path) -> None:
    (folder / "save").touch()
    assert Step(folder, "head", "raise SystemExit(1)").end()[0] == 75


def test_sigterm_goes_to_the_training_and_the_head_ends_with_143(folder: Path) -> None:
    says = f"import signal, sys; signal.signal(signal.SIGTERM, lambda *_: (print('cleaned'), sys.exit(143))); {SLEEP}"
    step = Step(folder, "head", says)
    step.output_until("up")
    step.process.send_signal(signal.SIGTERM)
    assert step.end() == (143, "cleaned\n")


def test_a_worker_leaves_when_the_head_has_gone(folder: Path, listening: socket.socket) -> None:
    step = Step(folder, "worker", SLEEP, address_of(listening))
    step.output_until("up")
    listening.close()
    code, output = step.end()
    assert code == 0 and "n2: the head has gone; this node leaves." in output


def test_a_worker_whose_ray_dies_joins_again(folder: Path, listening: socket.socket) -> None:
    step = Step(folder, "worker", "print('up', flush=True)", address_of(listening))
    step.output_until("joins again in 2 s.")
    assert "up" in step.output_until("joins again in 4 s.")
    step.process.send_signal(signal.SIGTERM)
    assert step.end()[0] == 143


def test_a_worker_whose_head_never_comes_says_so(folder: Path) -> None:
    code, output = Step(folder, "worker", SLEEP, "127.0.0.1:9", seconds=1).end()
    assert code == 1 and "the head did not answer" in output
