"""The supervisor with small fake drivers: exit codes, causes, signals, and that nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing import shared_memory
from pathlib import Path

import pytest
from fake_run import LIMIT, Fake


def test_a_finished_run_ends_with_0_and_a_summary(fake: Fake) -> None:
    end = fake.run("finish", "run_dir=x")
    assert (end.returncode, end.stderr) == (0, "")
    assert "step 1/3" in end.stdout and "warning: correlation is 0.94" in end.stdout
    summary = end.stdout[end.stdout.index("Finished: 3 steps") :]
    assert "0.250 at step 0 -> 0.750 at step 3   (val-core/sums/acc/mean@4)" in summary
    assert "0.9970" in summary and str(fake.run_dir / "checkpoints") in summary
    assert summary.splitlines()[-1].endswith("python -m gmpo_verl.main_ppo algorithm=grpo finish run_dir=x-grpo")


def test_a_teardown_that_aborts_after_the_last_step_is_still_a_success(fake: Fake) -> None:
    assert fake.run("finish, then abort").returncode == 0


def test_output_without_a_run_is_passed_through(fake: Fake) -> None:
    end = fake.run("print and leave")
    assert (end.returncode, end.stdout, end.stderr) == (0, "algorithm: gmpo\n", "")


def test_a_user_error_is_2_and_said_once(fake: Fake) -> None:
    end = fake.run("user error")
    assert (end.returncode, end.stdout) == (2, "")
    assert end.stderr == "gmpo_verl: no algorithm 'gmop'; did you mean gmpo?\n"


def test_a_driver_that_leaves_without_finishing_is_a_failure(fake: Fake) -> None:
    end = fake.run("stop early")
    assert end.returncode == 1
    assert "failed after step 1: the driver ended without having finished" in end.stderr


def test_the_reported_error_is_the_cause_and_the_command_resumes(fake: Fake) -> None:
    end = fake.run("report an error", "seed=1")
    assert end.returncode == 1
    *_, cause, resume = end.stderr.splitlines()
    assert cause == "The run failed after step 1: the gradient was not finite three times in a row."
    assert resume.endswith("python -m gmpo_verl.main_ppo 'report an error' seed=1")


def test_without_a_reported_error_the_log_names_the_exception_and_rays_logs_are_kept(fake: Fake) -> None:
    end = fake.run("raise")
    assert end.returncode == 1
    assert "ValueError: no such column." in end.stderr.splitlines()[-2]
    kept = fake.run_dir / "logs" / "ray-1" / "raylet.out"
    assert str(kept.parent) in end.stderr
    assert kept.stat().st_size == 2 << 20 and kept.read_text().endswith("the end")


def test_a_killed_driver_is_1_and_named(fake: Fake) -> None:
    end = fake.run("die")
    assert end.returncode == 1
    assert "the driver was killed by SIGKILL" in end.stderr


def test_a_dead_worker_ends_a_driver_that_waits_forever(fake: Fake) -> None:
    end = fake.run("lose a worker")
    assert end.returncode == 1
    assert "failed after step 7: the reward worker (pid " in end.stderr.splitlines()[-2]
    assert "agent-loop" not in end.stderr


def test_a_dead_worker_and_the_drivers_error_are_both_named(fake: Fake) -> None:
    end = fake.run("lose a worker and report")
    assert end.returncode == 1
    assert "the FSDP worker (pid " in end.stderr and "ActorDiedError: the actor died" in end.stderr


@pytest.mark.parametrize("scenario", ["lose an idle worker", "shut down, then finish"])
def test_processes_that_may_end_do_not_fail_the_run(fake: Fake, scenario: str) -> None:
    assert fake.run(scenario).returncode == 0


@pytest.mark.parametrize(
    "number, code, driver",
    [
        (signal.SIGINT, 130, "stubborn"),
        (signal.SIGINT, 130, "report"),
        (signal.SIGTERM, 143, "stubborn"),
        (signal.SIGHUP, 129, "obedient"),
    ],
)
def test_a_signal_stops_and_cleans_everything(fake: Fake, number: int, code: int, driver: str) -> None:
    others = shared_memory.SharedMemory(create=True, size=16)
    try:
        process = fake.start("hold everything", driver)
        _, *memory = fake.wait_until_ready()
        assert all(Path("/dev/shm", name).exists() for name in memory)
        process.send_signal(number)
        _, err = process.communicate(timeout=LIMIT)
        assert process.returncode == code
        assert err.splitlines()[-1].startswith(f"{signal.Signals(number).name}: stopped at step 5.")
        assert not any(Path("/dev/shm", name).exists() for name in memory)
        assert Path("/dev/shm", others.name).exists()
    finally:
        others.close()
        others.unlink()


def test_a_run_under_nohup_survives_its_terminal(fake: Fake) -> None:
    process = fake.start("hold everything", "obedient", prefix=("nohup",))
    fake.wait_until_ready()
    process.send_signal(signal.SIGHUP)
    time.sleep(2)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=LIMIT)
    assert process.returncode == 143


def test_a_second_interrupt_skips_the_grace_and_still_cleans(fake: Fake) -> None:
    process = fake.start("hold everything", "stubborn")
    fake.wait_until_ready()
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    assert time.monotonic() - began < 1.5
    assert not Path("/dev/shm", fake.memory).exists()


def test_an_interrupt_inherited_as_ignored_still_stops(fake: Fake) -> None:
    process = fake.start("hold everything", prefix=("sh", "-c", 'trap "" INT; exec "$@"', "sh"))
    fake.wait_until_ready()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LIMIT)
    assert process.returncode == 130


def test_a_reader_that_has_gone_does_not_change_the_ending(fake: Fake) -> None:
    process = fake.start("finish")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=LIMIT) == 0


def test_killing_the_supervisor_ends_the_driver_and_the_next_command_removes_the_rest(fake: Fake) -> None:
    environment = fake.environment | {"PYTHONPATH": os.pathsep.join(sys.path)}
    code = (
        "import sys; from gmpo_verl.supervisor.supervise import supervise;"
        "supervise([], driver=[sys.executable, '-c', 'from gmpo_verl.supervisor.prctl import die_with_parent;"
        "die_with_parent(); print(1, flush=True); import time; time.sleep(600)'])"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"1\n"
    process.kill()
    process.wait()
    for _ in range(100):
        if not fake.survivors():
            break
        time.sleep(0.05)
    assert fake.survivors() == []
    assert list(fake.temp_root.iterdir()) != []
    fake.run("print and leave")  # the fixture finds the folder of the killed run removed
