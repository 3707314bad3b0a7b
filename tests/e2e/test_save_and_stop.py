"""A run seen from outside while it trains, then asked by SIGUSR1 to save and stop, then continued. The real stack."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_run import START_SECONDS, RealRun

from gmpo_verl.trainer.checkpoints.markers import newest_complete

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2 * START_SECONDS)]

STEPS = 12  # enough that a run is not at its end when its first step has been seen
OVERRIDES = (f"trainer.total_training_steps={STEPS}", "trainer.logger=[console,wandb]")


def steps_of(run: RealRun) -> list[int]:
    return [json.loads(line)["step"] for line in (run.run_dir / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealRun, dict]]:
    """A run that was asked to stop, and what was seen of it before."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("WANDB_MODE", "offline")
        run = RealRun(tmp_path_factory.mktemp("stopped"), tmp_path_factory.mktemp("cache"), *OVERRIDES)
        try:
            run.wait_for_a_step()
            (token,) = run.temp_root.glob("*/ray_token")
            seen = {
                "sockets": subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout,
                "pids": run.processes(),
                "token": token.read_text(),
                "token mode": token.stat().st_mode & 0o777,
                "commands": [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in run.processes()],
            }
            run.process.send_signal(signal.SIGUSR1)
            time.sleep(0.1)
            run.process.send_signal(signal.SIGUSR1)  # changes nothing
            run.process.wait(timeout=90)
            yield run, seen
        finally:
            run.remove()


def test_it_ends_with_75_and_a_complete_checkpoint_of_its_last_step(stopped: tuple[RealRun, dict]) -> None:
    run, _ = stopped
    assert run.process.returncode == 75, run.output()[-3000:]
    steps = steps_of(run)
    assert steps == list(range(1, len(steps) + 1)) and len(steps) < STEPS
    assert newest_complete(run.run_dir / "checkpoints") == steps[-1]
    assert f"Saved step {steps[-1]} and stopped, as asked." in run.output().splitlines()[-1]
    assert run.left_behind() == []


def test_everything_listens_on_loopback_alone(stopped: tuple[RealRun, dict]) -> None:
    _, seen = stopped
    mine = [line for line in seen["sockets"].splitlines() if any(f"pid={pid}," in line for pid in seen["pids"])]
    addresses = {line.split()[3].rpartition(":")[0] for line in mine}
    assert len(mine) > 10
    assert addresses <= {"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"}, mine


def test_the_token_is_nowhere_but_in_its_file(stopped: tuple[RealRun, dict]) -> None:
    run, seen = stopped
    token = seen["token"].encode()
    assert len(token) == 64 and seen["token mode"] == 0o600
    assert not any(token in command for command in seen["commands"])
    assert token not in run.output().encode()
    files = [path for path in run.run_dir.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in files)
    assert not [path for path in files if token in path.read_bytes()]


def test_the_same_command_goes_on_after_that_step(stopped: tuple[RealRun, dict], tmp_path: Path) -> None:
    run, _ = stopped
    before = steps_of(run)
    end = subprocess.run(run.process.args, env=run.environment, capture_output=True, text=True, timeout=START_SECONDS)
    assert end.returncode == 0, (end.stdout + end.stderr)[-3000:]
    assert f"resuming at step {before[-1] + 1}" in end.stdout
    assert steps_of(run) == list(range(1, STEPS + 1))
    assert {file.name for file in (run.run_dir / "logs").glob("driver*.log")} == {"driver.log", "driver-2.log"}
