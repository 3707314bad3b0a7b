"""What the driver says of a failure, and how many steps a run has."""

import os

import pytest
from omegaconf import OmegaConf

from gmpo_verl.config.compose import compose
from gmpo_verl.errors import named_reason
from gmpo_verl.trainer import driver, status
from gmpo_verl.trainer.planned_rounds import note_planned_rounds, planned_rounds


class Wrapped(Exception):
    def __init__(self, cause: BaseException) -> None:
        super().__init__("a wrapper of many lines\nof no use")
        self.cause = cause


def test_the_cause_is_the_innermost_error_in_one_line():
    error = Wrapped(Wrapped(ValueError("\n  the first line\n  the second")))
    assert named_reason(driver.innermost(error)) == "ValueError: the first line"
    assert named_reason(driver.innermost(KeyboardInterrupt())) == "KeyboardInterrupt"


def test_steps_are_those_asked_for_or_whole_epochs():
    assert driver.total_training_steps(compose(["trainer.total_training_steps=7"])) == 7
    epochs = compose(["trainer.total_training_steps=null", "trainer.total_epochs=3", "arithmetic.train_size=100"])
    assert driver.total_training_steps(epochs) == 3 * (100 // 32)


def test_a_wrong_argument_ends_with_2_and_a_sentence(capsys, monkeypatch):
    monkeypatch.delenv("GMPO_SUPERVISOR_PID", raising=False)
    assert driver.main(["algorithm=gmop"]) == 2
    assert capsys.readouterr().err.startswith("gmpo_verl: algorithm=gmop does not exist: did you mean gmpo? There is ")


@pytest.fixture
def pipe(monkeypatch):
    reading, writing = os.pipe()
    monkeypatch.setenv(status.PIPE_VARIABLE, str(writing))
    monkeypatch.setattr(status, "_pipe", None)
    yield reading
    os.close(reading)
    os.close(writing)


def test_events_go_through_the_pipe_whose_number_no_child_sees(pipe):
    status.take_pipe()
    assert status.PIPE_VARIABLE not in os.environ
    status.notify("stage", text="now")
    assert os.read(pipe, 1000) == b'{"event": "stage", "text": "now"}\n'


def test_events_of_workers_go_to_the_run_directory(tmp_path):
    (tmp_path / "logs").mkdir()
    for message in ("one", "two"):
        status.notify_from_worker(str(tmp_path), "warning", message=message)
    assert (tmp_path / "logs" / "events.jsonl").read_text().count('"event": "warning"') == 2


def test_nobody_listening_is_no_error(monkeypatch):
    monkeypatch.setattr(status, "_pipe", None)
    status.notify("stage", text="unheard")


def test_data_files_are_given_by_their_whole_path(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    data = {"train_files": "train.parquet", "val_files": ["a.parquet", "s3://bucket/b.parquet", "/else/c.parquet"]}
    config = OmegaConf.create({"data": data})
    driver.make_files_absolute(config)
    assert config.data.train_files == str(tmp_path / "train.parquet")
    assert config.data.val_files == [str(tmp_path / "a.parquet"), "s3://bucket/b.parquet", "/else/c.parquet"]


def test_the_rounds_that_the_trainer_planned_are_read_back(tmp_path):
    assert planned_rounds(tmp_path) is None
    (tmp_path / "logs").mkdir()
    note_planned_rounds(tmp_path, 41)
    assert planned_rounds(tmp_path) == 41
