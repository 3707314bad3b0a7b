"""trainer.max_restarts: what is started again, how often, after how long, and what is written down."""

import json
import signal
import time

import pytest
from fake_run import LIMIT, Fake

from gmpo_verl.supervisor import restarts


def recorded(fake: Fake) -> list[dict]:
    file = fake.run_dir / "logs" / "restarts.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_a_run_that_fails_twice_goes_on_and_ends_with_0(fake: Fake) -> None:
    end = fake.run("fail", "1 lost, 2 lost", "2")
    assert end.returncode == 0
    assert "The run failed after step 1: lost in process" in end.stderr
    assert "Restart 1 of 2 in 0 s." in end.stderr and "Restart 2 of 2 in 0 s." in end.stderr
    assert [(row["restart"], row["of"], row["after_step"]) for row in recorded(fake)] == [(1, 2, 1), (2, 2, 2)]
    assert recorded(fake)[0]["cause"].startswith("lost in process ")
    assert "Finished" in end.stdout


def test_each_attempt_names_its_own_log(fake: Fake) -> None:
    end = fake.run("fail", "1 lost", "1")
    assert "logs/driver-1.log" in end.stderr and "logs/driver-2.log" not in end.stderr


@pytest.mark.parametrize(
    "failures, most, attempts, last",
    [
        ("1 lost, 2 lost", "1", 2, "No restart: trainer.max_restarts=1 are used up."),
        ("1 lost, 1 lost", "5", 2, "No restart: the same error came twice after step 1."),
        ("1 killed, 1 killed", "5", 2, "No restart: the same error came twice after step 1."),
        ("1 guard", "5", 1, "No restart: the run stopped itself."),
        ("1 lost", "0", 1, "To go on from the newest complete checkpoint: "),
    ],
)
def test_the_last_line_says_why_there_is_no_other_attempt(
    fake: Fake, failures: str, most: str, attempts: int, last: str
) -> None:
    end = fake.run("fail", failures, most)
    assert end.returncode == 1
    assert end.stderr.splitlines()[-1].startswith(last)
    assert len(recorded(fake)) == attempts - 1


def test_another_error_at_the_same_step_and_the_same_at_another_are_no_repetition(fake: Fake) -> None:
    assert fake.run("fail", "1 lost, 1 killed, 2 killed", "3").returncode == 0


def test_a_mistake_of_the_users_is_not_repeated(fake: Fake) -> None:
    assert fake.run("fail", "1 mistake", "3").returncode == 2
    assert recorded(fake) == []


def test_a_restart_that_cannot_begin_is_a_failure_and_no_mistake(fake: Fake) -> None:
    assert fake.run("fail", "1 lost, 1 mistake", "3").returncode == 1


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGUSR1, 75)])
def test_a_signal_ends_the_wait_for_a_restart(fake: Fake, number: int, code: int) -> None:
    fake.environment["FAKE_FIRST_WAIT"] = "600"
    process = fake.start("fail", "1 lost", "1")
    while not recorded(fake):
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(number)
    process.communicate(timeout=LIMIT)
    assert process.returncode == code


def test_waits_double_up_to_a_bound(tmp_path) -> None:
    from gmpo_verl.supervisor.ending import Ending
    from gmpo_verl.supervisor.progress import Progress
    from gmpo_verl.supervisor.status import DriverStatus, RunStarted

    (tmp_path / "logs").mkdir()
    counted, waits = restarts.Restarts(), []
    for step in range(9):
        status = DriverStatus(RunStarted(tmp_path, max_restarts=9), error="lost")
        waits.append(counted.next_wait(Ending([], status, Progress(step=step))))
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
