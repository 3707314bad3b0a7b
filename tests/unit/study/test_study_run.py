"""The runner: skips, resumes, keeps; with a stand-in for the training command."""

import json
import subprocess
import sys

import pytest
import run as study_run
import yaml
from kept import CONFIG_KEYS, MAX_BYTES, down_sampled, keep

STAND_IN = """
import json, pathlib, sys
options = dict(word.split("=", 1) for word in sys.argv[1:])
folder = pathlib.Path(options["run_dir"])
folder.mkdir(parents=True, exist_ok=True)
(folder / "config.yaml").write_text("{seed: %s}" % options["seed"])
(folder / "metrics.jsonl").write_text(json.dumps({"step": 1, "data": {"actor/entropy": 0.123456789, "other": 1}}))
with open(folder.parent / "started", "a") as file:
    file.write(options["seed"] + options["algorithm"] + " ")
MODE
"""


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Runs the runner over the core study, with what the stand-in does at its end; returns its exit code."""

    def call(mode=""):
        script = tmp_path / "stand_in.py"
        script.write_text(STAND_IN.replace("MODE", mode))
        monkeypatch.setattr(study_run, "TRAIN", [sys.executable, str(script)])
        return study_run.main(["core", "--work", str(tmp_path / "work"), "--results", str(tmp_path / "results")])

    return call


def started(tmp_path):
    return (tmp_path / "work" / "started").read_text().split()


def test_every_run_is_trained_once_and_leaves_its_metrics(command, tmp_path, capsys):
    assert command() == 0
    assert started(tmp_path) == [f"{seed}{arm}" for seed in range(5) for arm in ("gmpo", "grpo")]
    folders = list((tmp_path / "results" / "runs").iterdir())
    assert len(folders) == 10
    for folder in folders:
        assert {path.name for path in folder.iterdir()} == {"metrics.jsonl", "config.yaml", "finished.json", "run.json"}
        assert sum(path.stat().st_size for path in folder.iterdir()) < 60_000
    assert "10 of 10 done" in capsys.readouterr().out
    assert command() == 0
    assert len(started(tmp_path)) == 10
    assert capsys.readouterr().out == "10 runs, 10 of them done; --results DIR trains them anew, into DIR\n"


def test_a_run_that_was_stopped_ends_the_command_and_is_begun_again(command, tmp_path):
    assert command("if options['seed'] == '1': sys.exit(143)") == 130
    assert started(tmp_path) == ["0gmpo", "0grpo", "1gmpo"]
    assert command() == 0
    assert started(tmp_path)[3:5] == ["1gmpo", "1grpo"]


def test_a_signal_to_the_command_reaches_the_run_once_and_ends_both(command, tmp_path):
    ask = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)"
    assert command(f"if options['seed'] == '0':\n    {ask}") == 130
    assert started(tmp_path) == ["0gmpo"]


def test_a_collapse_is_a_result(command, tmp_path):
    assert command("print('loss or gradient not finite in 3 rounds'); sys.exit(1)") == 0
    made = json.loads((tmp_path / "results" / "runs" / "gmpo-seed0" / "run.json").read_text())
    assert made["exit_code"] == 1
    assert not (tmp_path / "results" / "runs" / "gmpo-seed0" / "finished.json").exists()


@pytest.mark.parametrize("code", [1, 2])
def test_any_other_failure_is_none_and_ends_the_command(command, tmp_path, code, capsys):
    assert command(f"sys.exit({code})") == 2
    assert not (tmp_path / "results").exists()
    assert "gmpo-seed0.log" in capsys.readouterr().err


def test_an_unknown_study_is_refused(capsys):
    assert study_run.main(["cora"]) == 2
    assert "there is no study cora: write one of core, full" in capsys.readouterr().err


def test_down_sampling_keeps_validations_and_the_last_row_and_fits():
    rows = [{"step": step, "data": {"a": step / 7, "b": 1.0}} for step in range(5000)]
    rows[333]["data"]["val-core/x/acc/mean@4"] = 0.5
    text = down_sampled(rows, ["a"])
    kept = {row["step"]: row["data"] for row in map(json.loads, text.splitlines())}
    assert len(text) <= MAX_BYTES
    assert {0, 333, 4999} <= set(kept)
    assert kept[333]["val-core/x/acc/mean@4"] == 0.5
    assert kept[4999] == {"a": 714.14}
    assert len(kept) > 500


def test_a_short_run_keeps_every_row():
    rows = [{"step": step, "data": {"a": 1.0}} for step in range(80)]
    assert len(down_sampled(rows, ["a"]).splitlines()) == 80


def test_the_kept_configuration_has_the_chosen_keys_alone(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"seed": 3, "trainer": {"total_training_steps": 9, "x": 1}}))
    keep(tmp_path, tmp_path / "kept", [], {"exit_code": 0})
    config = yaml.safe_load((tmp_path / "kept" / "config.yaml").read_text())
    assert config["seed"] == 3 and config["trainer"] == {"total_training_steps": 9}
    assert set(config) == {key.partition(".")[0] for key in CONFIG_KEYS}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--cor"], "there is no option --cor"),
        ([], "write --core"),
        (["--plan"], "write --core"),
        (["--core", "--results"], "--results names no folder"),
        (["--results", "--core"], "--results names no folder"),
    ],
)
def test_the_script_refuses_words_that_ask_for_nothing(words, named):
    script = study_run.CHECKOUT / "scripts" / "reproduce_stability.sh"
    ended = subprocess.run(["bash", script, *words], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"reproduce_stability: {named}") and ended.stderr.count("\n") == 1
