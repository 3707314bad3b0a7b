"""However a run ends, it says why, ends soon, and leaves nothing behind. The real stack, about 75 s a case."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_run import COMMAND, START_SECONDS, RealRun

LIMIT = 60  # seconds from the fault to the end of the command

pytestmark = [pytest.mark.faults, pytest.mark.timeout(START_SECONDS + 2 * LIMIT)]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(tmp_path: Path, cache: Path) -> Iterator[RealRun]:
    run = RealRun(tmp_path, cache)
    try:
        run.wait_for_a_step()
        yield run
    finally:
        run.remove()


def end_of(run: RealRun, began: float) -> list[str]:
    """The last lines of a run that has to be over, with nothing left, within the limit."""
    run.process.wait(timeout=LIMIT)
    assert time.monotonic() - began < LIMIT
    assert run.left_behind() == []
    return run.output().splitlines()[-4:]


@pytest.mark.parametrize(
    "role",
    ["vLLM server", "vLLM engine", "FSDP worker", "reward worker", "agent-loop worker", "task runner", "raylet"],
)
def test_kill_9_of_a_part_ends_the_run_with_the_cause(run: RealRun, role: str) -> None:
    pid = run.pid_of(role)
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    *_, cause, resume = end_of(run, began)
    assert run.process.returncode == 1
    assert "failed after step " in cause and f"the {role} (pid {pid})" in cause
    assert "python -m gmpo_verl.main_ppo algorithm=gmpo" in resume and f"run_dir={run.run_dir}" in resume
    assert any((run.run_dir / "logs" / "ray-1").glob("*.log"))


def test_a_run_that_may_restart_goes_on_from_its_checkpoint_by_itself(tmp_path: Path, cache: Path) -> None:
    steps = 8
    options = (f"trainer.total_training_steps={steps}", "trainer.save_freq=1", "trainer.max_restarts=1")
    run = RealRun(tmp_path, cache, *options)
    try:
        run.wait_for_a_step()
        os.kill(run.pid_of("FSDP worker"), signal.SIGKILL)
        run.process.wait(timeout=START_SECONDS)
        assert run.process.returncode == 0, run.output()[-3000:]
        rows = [json.loads(line) for line in (run.run_dir / "metrics.jsonl").read_text().splitlines()]
        assert [row["step"] for row in rows] == list(range(1, steps + 1))
        (restart,) = [json.loads(line) for line in (run.run_dir / "logs" / "restarts.jsonl").read_text().splitlines()]
        assert (restart["restart"], restart["of"]) == (1, 1) and "the FSDP worker (pid " in restart["cause"]
        assert "Restart 1 of 1 in 5 s." in run.output() and (run.run_dir / "logs" / "driver-2.log").is_file()
        assert run.left_behind() == []
    finally:
        run.remove()


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_run(run: RealRun, number: signal.Signals, code: int) -> None:
    began = time.monotonic()
    run.process.send_signal(number)
    last = end_of(run, began)[-1]
    assert run.process.returncode == code
    assert f"{number.name}: stopped at step " in last and "python -m gmpo_verl.main_ppo algorithm=gmpo" in last


def test_kill_9_of_the_command_itself_leaves_no_process_and_the_next_command_removes_the_rest(run: RealRun) -> None:
    run.process.kill()
    end = time.monotonic() + LIMIT
    while run.processes() and time.monotonic() < end:
        time.sleep(0.5)
    assert run.processes() == []
    subprocess.run([*COMMAND, "--cfg", "job"], env=run.environment, check=True, capture_output=True, timeout=LIMIT)
    assert run.left_behind() == []
