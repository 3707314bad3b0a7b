"""`evaluate` and `solve` on a small model made on the spot, with the real vLLM, graders and model merger."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest
from small_run import train

from gmpo_verl.data.arithmetic import ArithmeticTask, prepare

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
MARK = "GMPO_EVALUATION_MARK"
SAMPLED = ("--temperature", "1", "--n", "12", "--max-tokens", "8")
START_SECONDS = 120


@pytest.fixture(scope="module")
def task():
    """A model that is hardly warm-started, with 128 problems."""
    return prepare(ArithmeticTask(clean_steps=20, slip_steps=0))


def command(module, *arguments):
    return [sys.executable, "-m", f"gmpo_verl.{module}", *map(str, arguments)]


def run(module, *arguments, text=None):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command(module, *arguments), input=text, env=environment, capture_output=True, text=True, timeout=300, cwd=ROOT
    )


def evaluate(task, out, *arguments):
    result = run("evaluate", "--model", task.model, "--data", task.validation, "--out", out, *arguments)
    assert result.returncode == 0, result.stderr[-3000:]
    return result


def answers(out):
    rows = map(json.loads, (out / "answers.jsonl").read_text().splitlines())
    return {(row["index"], row["sample"]): row["response"] for row in rows}


@pytest.fixture(scope="module")
def whole(task, tmp_path_factory):
    """An evaluation that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole")
    evaluate(task, out, *SAMPLED)
    return out


class Marked:
    """A command in the background whose processes can be told from all others."""

    def __init__(self, *arguments, **options):
        self.mark = uuid.uuid4().hex
        environment = os.environ | {"OMP_NUM_THREADS": "1", MARK: self.mark}
        self.process = subprocess.Popen(arguments, env=environment, cwd=ROOT, **options)

    def left(self):
        """Its processes that are still there after a moment."""
        end = time.monotonic() + 10
        while (found := self._found()) and time.monotonic() < end:
            time.sleep(0.1)
        return found

    def _found(self):
        return [process.pid for process in psutil.process_iter() if self._is_mine(process)]

    def _is_mine(self, process):
        try:
            return process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def test_killed_and_run_again_it_gives_the_same_numbers_and_generates_only_what_is_missing(task, whole, tmp_path):
    out = tmp_path / "killed"
    arguments = ("--model", task.model, "--data", task.validation, "--out", out, *SAMPLED)
    killed = Marked(*command("evaluate", *arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    file, end = out / "answers.jsonl", time.monotonic() + START_SECONDS
    while not file.exists() or file.read_bytes().count(b"\n") < 200:
        assert killed.process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    os.kill(killed.process.pid, signal.SIGKILL)
    killed.process.wait()
    assert killed.left() == []
    kept = file.read_bytes()
    assert 200 <= kept.count(b"\n") < 128 * 12, "killed too late"

    result = evaluate(task, out, *SAMPLED, "--data-parallel-size", "2")

    whole_lines = kept[: kept.rfind(b"\n") + 1]
    assert f"starting vLLM for {128 * 12 - whole_lines.count(10)} answers" in result.stderr
    assert file.read_bytes().startswith(whole_lines)
    assert file.read_bytes().count(b"\n") == 128 * 12
    assert answers(out) == answers(whole)
    for name in ("results.json", "results.md", "verdicts.jsonl"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_the_answers_can_be_scored_without_the_model(task, whole, tmp_path):
    result = run("evaluate", "--responses", whole / "answers.jsonl", "--out", tmp_path / "scored")
    assert result.returncode == 0, result.stderr
    figures = [json.loads((out / "results.json").read_text())["benchmarks"] for out in (whole, tmp_path / "scored")]
    assert figures[0] == figures[1]


def test_fewer_answers_of_a_complete_evaluation_are_a_part_of_it_and_not_generated_again(task, whole):
    result = evaluate(task, whole, "--temperature", "1", "--n", "4", "--max-tokens", "8", "--limit", "10")
    assert "vLLM" not in result.stderr
    figures = json.loads((whole / "results.json").read_text())["benchmarks"]["validation"]
    assert (figures["problems"], figures["answers"], list(figures["pass"])) == (10, 40, ["1", "2", "4"])


def test_other_sampling_is_refused(task, whole):
    arguments = ("--model", task.model, "--data", task.validation, "--out", whole, "--max-tokens", "8")
    result = run("evaluate", *arguments)
    assert result.returncode == 2
    assert "another evaluation (temperature 1.0 instead of 0.0" in result.stderr


def test_ctrl_c_ends_a_solution_and_leaves_nothing(task):
    arguments = ("--model", task.model, "--samples", "256", "--temperature", "1.5", "37+58=", "--template", "none")
    solving = Marked(*command("solve", *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(6)  # vLLM is starting
    assert solving.process.poll() is None
    solving.process.send_signal(signal.SIGINT)
    _, errors = solving.process.communicate(timeout=30)
    assert solving.process.returncode == 130
    assert b"stopped" in errors and b"Traceback" not in errors
    assert solving.left() == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two steps, with greedy validation after the second."""
    folder = tmp_path_factory.mktemp("trained")
    validation = "actor_rollout_ref.rollout.val_kwargs"
    greedy = (f"{validation}.do_sample=false", f"{validation}.temperature=0", f"{validation}.n=1")
    steps = ("trainer.total_training_steps=2", "trainer.save_freq=2", "trainer.test_freq=2")
    result = train(folder, "arithmetic.validation_size=128", "arithmetic.clean_steps=300", *greedy, *steps)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return folder / "run"


def test_a_runs_checkpoint_gets_the_verdicts_of_its_greedy_validation(trained, tmp_path):
    data = prepare(ArithmeticTask(clean_steps=300, slip_steps=0)).validation
    result = run("evaluate", "--model", trained, "--data", data, "--out", tmp_path / "out", "--max-tokens", "8")
    assert result.returncode == 0, result.stderr[-3000:]
    assert "exporting step 2" in result.stderr and "float32" in result.stderr
    validated = {row["input"]: row for row in map(json.loads, (trained / "validation" / "2.jsonl").open())}
    rows = [json.loads(line) for line in (tmp_path / "out" / "answers.jsonl").open()]
    verdicts = {row["index"]: row for row in map(json.loads, (tmp_path / "out" / "verdicts.jsonl").open())}
    assert len(rows) == len(validated) == 128
    different = [row for row in rows if verdicts[row["index"]]["correct"] != validated[row["prompt_text"]]["acc"]]
    assert len(different) <= 0.01 * len(rows), different
    assert 0 < sum(row["acc"] for row in validated.values()) < 128


def test_a_run_solves_a_problem_from_standard_input(trained):
    result = run("solve", "--model", trained, "--samples", "8", text="37+58=\n")
    assert result.returncode == 0, result.stderr[-3000:]
    *shown, last = result.stdout.strip().splitlines()
    assert "\\boxed{" in "\n".join(shown)
    assert last.startswith("answer: ") and last.endswith(" of 8)")


def test_a_worker_that_fails_says_why_and_names_its_log(task, tmp_path):
    broken = Path(shutil.copytree(task.model, tmp_path / "broken"))
    (broken / "model.safetensors").write_bytes(b"no weights")
    arguments = ("--model", broken, "--data", task.validation, "--out", tmp_path / "out", "--max-tokens", "8")
    result = run("evaluate", *arguments)
    assert result.returncode == 1
    assert "worker-0.log" in result.stderr and "Traceback" not in result.stderr
