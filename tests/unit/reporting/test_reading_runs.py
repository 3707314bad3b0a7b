"""A run is read as far as it can be, and what is broken is left out and said."""

import math
from pathlib import Path

import pytest
from runs_on_disk import CONFIG, write_run

from gmpo_verl.errors import UserError
from gmpo_verl.reporting.run import locate, read_run, require_rows


def test_metrics_configuration_and_end_are_read(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [{"a": 1, "b": 2.5}, {"a": 3}])
    (folder / "finished.json").write_text('{"step": 2}')
    run = read_run(*locate(str(folder)), "name")
    assert run.metrics["a"].values == (1.0, 3.0)
    assert run.metrics["b"].steps == (1,)
    assert (run.last_step, run.total_steps, run.finished) == (2, 20, True)
    assert run.option("actor_rollout_ref.model.path") == CONFIG["actor_rollout_ref"]["model"]["path"]
    assert run.option("actor_rollout_ref.model.path.more") is None
    assert run.notes == []


def test_a_cut_off_last_line_is_left_out_and_noted(tmp_path: Path) -> None:
    folder = write_run(tmp_path, [{"a": 1}, {"a": 2}])
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "data": {"a"')
    run = read_run(*locate(str(folder)), "name")
    assert run.metrics["a"].values == (1.0, 2.0)
    assert "cut off" in run.notes[0]


def test_nan_and_infinity_stay_in_a_series_and_out_of_its_finite_part(tmp_path: Path) -> None:
    run = read_run(*locate(str(write_run(tmp_path, [{"a": math.nan}, {"a": math.inf}, {"a": 2.0}]))), "name")
    assert len(run.metrics["a"].values) == 3
    assert run.metrics["a"].finite == [(3, 2.0)]
    assert run.last("a") == 2.0


def test_of_a_step_that_stands_twice_the_last_row_counts(tmp_path: Path) -> None:
    folder = write_run(tmp_path, [{"a": 1}])
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 1, "data": {"a": 5, "text": "no number"}}\n')
    assert read_run(*locate(str(folder)), "name").metrics["a"].values == (5.0,)


@pytest.mark.parametrize("text", ["{unclosed: [", "- a list", "\x00"])
def test_a_configuration_that_cannot_be_read_is_noted_and_the_metrics_are_kept(tmp_path: Path, text: str) -> None:
    folder = write_run(tmp_path, [{"a": 1}])
    (folder / "config.yaml").write_text(text)
    run = read_run(*locate(str(folder)), "name")
    assert (run.config, run.steps) == ({}, (1,))
    assert "config.yaml" in run.notes[0]


def test_a_metrics_file_of_stock_verl_is_a_run_by_itself_or_alone_in_its_folder(tmp_path: Path) -> None:
    folder = write_run(tmp_path, [{"a": 1}], config=None)
    stock = folder / "experiment.jsonl"
    (folder / "metrics.jsonl").rename(stock)
    assert locate(str(stock)) == (folder, stock)
    assert locate(str(folder)) == (folder, stock)
    (folder / "another.jsonl").write_text("")
    with pytest.raises(UserError, match=r"2 \.jsonl files"):
        locate(str(folder))


def test_what_is_no_run_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        locate(str(tmp_path / "absent"))
    with pytest.raises(UserError, match=r"holds no metrics\.jsonl"):
        locate(str(tmp_path))
    (tmp_path / "metrics.jsonl").write_text("not json\n")
    with pytest.raises(UserError, match="no whole row"):
        require_rows(read_run(*locate(str(tmp_path)), "name"))
