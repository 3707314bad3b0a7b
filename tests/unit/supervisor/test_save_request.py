"""SIGUSR1: the run saves after its step and stops with 75; the same command goes on."""

import signal
import time

import pytest
from fake_run import LIMIT, Fake

from gmpo_verl.supervisor import save_request


def end_after(fake: Fake, *arguments: str, signals: tuple[int, ...]) -> tuple[int, str, str]:
    process = fake.start("train until asked to save", *arguments)
    while not (fake.run_dir / "ready").exists():
        time.sleep(0.05)
    time.sleep(0.7)
    for number in signals:
        process.send_signal(number)
        time.sleep(0.02)
    out, err = process.communicate(timeout=LIMIT)
    return process.returncode, out, err


@pytest.mark.parametrize("times", [1, 2])
def test_a_run_that_trains_is_asked_to_save_and_ends_with_75(fake: Fake, times: int) -> None:
    code, out, err = end_after(fake, "seed=1", signals=(signal.SIGUSR1,) * times)
    assert (code, err) == (75, "")
    assert "SIGUSR1: the run saves at the end of its step and stops" in out
    last = out.splitlines()[-1]
    assert last.startswith("Saved step 8 and stopped, as asked. To go on from it: python -m gmpo_verl.main_ppo ")
    assert last.endswith("seed=1")


def test_before_the_first_step_there_is_nothing_to_wait_for(fake: Fake) -> None:
    code, out, err = end_after(fake, "starting", signals=(signal.SIGUSR1,))
    assert code == 75
    assert (out + err).splitlines()[-1].startswith("SIGUSR1: stopped at step 0, before there was a new step to save.")
    assert not (fake.run_dir / save_request.FILE).exists()


def test_sigterm_keeps_its_meaning(fake: Fake) -> None:
    code, _, err = end_after(fake, "starting", signals=(signal.SIGTERM,))
    assert code == 143 and err.splitlines()[-1].startswith("SIGTERM: stopped at step 0")


def test_a_request_is_seen_until_it_is_forgotten(tmp_path) -> None:
    assert not save_request.is_asked(tmp_path)
    save_request.ask(tmp_path)
    save_request.ask(tmp_path)
    assert save_request.is_asked(tmp_path)
    save_request.forget(tmp_path)
    save_request.forget(tmp_path)
    assert not save_request.is_asked(tmp_path)


def test_a_run_directory_that_is_gone_does_not_stop_the_supervisor(tmp_path) -> None:
    save_request.ask(tmp_path / "gone")
