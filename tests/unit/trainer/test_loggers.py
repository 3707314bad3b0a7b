"""Every attempt at a run logs to the same run of wandb's and to a file of its own."""

import os

import pytest

from gmpo_verl.trainer.loggers import continue_loggers

NAMES = ("WANDB_RUN_ID", "WANDB_RESUME", "VERL_FILE_LOGGER_PATH")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in NAMES:
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)


def attempt(logs):
    """What an attempt's loggers are told; its file is there afterwards."""
    for name in NAMES:
        os.environ.pop(name, None)
    continue_loggers(logs)
    told = {name: os.environ[name] for name in NAMES}
    open(told["VERL_FILE_LOGGER_PATH"], "w").close()
    return told


def test_attempts_share_wandbs_run_and_keep_each_others_file(tmp_path):
    told = [attempt(tmp_path / "logs") for _ in range(3)]
    assert len({one["WANDB_RUN_ID"] for one in told}) == 1
    assert {one["WANDB_RESUME"] for one in told} == {"allow"}
    files = [os.path.basename(one["VERL_FILE_LOGGER_PATH"]) for one in told]
    assert files == ["verl_metrics.jsonl", "verl_metrics-2.jsonl", "verl_metrics-3.jsonl"]


def test_two_runs_have_two_runs_of_wandbs(tmp_path):
    assert attempt(tmp_path / "a")["WANDB_RUN_ID"] != attempt(tmp_path / "b")["WANDB_RUN_ID"]


def test_what_the_user_has_set_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_RUN_ID", "mine")
    monkeypatch.setenv("VERL_FILE_LOGGER_PATH", "elsewhere")
    continue_loggers(tmp_path)
    assert (os.environ["WANDB_RUN_ID"], os.environ["VERL_FILE_LOGGER_PATH"]) == ("mine", "elsewhere")
    assert "WANDB_RESUME" not in os.environ
