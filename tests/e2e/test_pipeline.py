"""From a data set to the table with the README's commands: MATH, two training steps, the five benchmarks, the table."""

import json
import os
import re
import subprocess
import sys

import pyarrow.parquet as parquet
import pytest
from small_run import SMALL

pytestmark = pytest.mark.e2e

STEPS, LIMIT = 2, 20
BENCHMARKS = ("aime24", "amc", "math500", "minerva", "olympiad_bench")
# The smallest of the real recipe's settings: the embedded model answers real problems with a few tokens of its own.
REAL_TEXT = (
    "data.train_files=data/math_lvl3to5/train.parquet",
    "data.val_files=data/evaluation_suite/aime24.parquet",
    "data.max_prompt_length=2032",
    "data.max_response_length=16",
    "data.filter_overlong_prompts=true",
    "actor_rollout_ref.actor.ppo_max_token_len_per_gpu=32768",
    "actor_rollout_ref.rollout.max_num_batched_tokens=8192",
    "actor_rollout_ref.rollout.val_kwargs.n=1",
    f"trainer.total_training_steps={STEPS}",
    f"trainer.save_freq={STEPS}",
    f"trainer.test_freq={STEPS}",
)


@pytest.fixture(scope="module")
def folder(shared_data, tmp_path_factory):
    """Where all four commands were given, one after the other."""
    folder = tmp_path_factory.mktemp("pipeline")
    suite = shared_data / "understand_r1_zero" / "evaluation_suite"
    command(folder, "prepare_data", "math_lvl3to5", "--source", shared_data / "MATH", "--out", "data/math_lvl3to5")
    command(folder, "prepare_data", "evaluation_suite", "--source", suite, "--out", "data/evaluation_suite")
    command(folder, "main_ppo", *SMALL, *REAL_TEXT)
    out = ("--out", "outputs/evaluation", "--limit", LIMIT, "--max-tokens", 16)
    command(folder, "evaluate", "--model", "run", "--data", "data/evaluation_suite", *out)
    return folder


def command(folder, module, *arguments):
    result = subprocess.run(
        [sys.executable, "-m", f"gmpo_verl.{module}", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert result.returncode == 0, f"{module}: {result.stdout[-2000:]}{result.stderr[-2000:]}"


def lines(file):
    with file.open(encoding="utf-8") as rows:  # not `splitlines`, which also cuts at separators inside a text
        return [json.loads(row) for row in rows]


def test_every_response_was_to_a_problem_of_the_set_and_was_graded(folder):
    rows = parquet.read_table(folder / "data" / "math_lvl3to5" / "train.parquet").to_pylist()
    assert len(rows) == 8886
    problems = {without_spaces(row["extra_info"]["problem"]) for row in rows}
    for step in range(1, STEPS + 1):
        for response in lines(folder / "run" / "rollouts" / f"{step}.jsonl"):
            assert response["data_source"] == "math_lvl3to5"
            assert response["error"] == response["timed_out"] == 0
            assert response["score"] in (0, 1) and response["gts"]
            # The chat template's words and marks stand around a problem.
            assert any(problem in without_spaces(response["input"]) for problem in problems)


def test_validation_in_training_is_of_the_benchmark(folder):
    metrics = lines(folder / "run" / "metrics.jsonl")
    assert [row["step"] for row in metrics] == [0, 1, 2]
    assert "val-core/aime24/acc/mean@1" in metrics[-1]["data"]


def test_the_model_was_exported_in_the_runs_own_precision(folder):
    exported = folder / "run" / "export" / str(STEPS)
    config = json.loads((exported / "config.json").read_text())
    assert config["dtype"] == "float32"
    assert "attn_implementation" not in config


def test_the_table_has_every_benchmark_beside_the_papers_rows(folder):
    verdicts = lines(folder / "outputs" / "evaluation" / "verdicts.jsonl")
    for benchmark in BENCHMARKS:
        assert sum(verdict["benchmark"] == benchmark for verdict in verdicts) == LIMIT
    table = (folder / "outputs" / "evaluation" / "results.md").read_text()
    assert re.search(r"Qwen2\.5-Math-7B \+ GMPO.*43\.3.*61\.4.*82\.0.*33\.5.*43\.6.*52\.7", table)


def without_spaces(text):
    return "".join(text.split())
