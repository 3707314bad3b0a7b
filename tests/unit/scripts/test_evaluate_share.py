"""An evaluation dealt out to nodes: every problem once, and the whole from the shares."""

import importlib
import json
import signal
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slurm_job import SCRIPTS, FakeJob

WAITS = "import signal; signal.signal(signal.SIGUSR1, lambda *_: sys.exit(75)); open('ready', 'w'); time.sleep(60)"

sys.path.append(str(SCRIPTS))
evaluate_share = importlib.import_module("evaluate_share")


def write_shares(out: Path, shares: int, problems: int) -> None:
    for number in range(shares):
        folder = out / f".share-{number + 1}-of-{shares}" / "out"
        folder.mkdir(parents=True)
        rows = [{"benchmark": "b", "index": i, "text": number + shares * i} for i in range(problems // shares + 1)]
        rows = [row for row in rows if row["text"] < problems]
        (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "evaluation.json").write_text("{}")


@given(rows=st.integers(1, 40), shares=st.integers(1, 7), limit=st.none() | st.integers(1, 50))
def test_the_shares_are_every_problem_once_and_tell_its_number(rows, shares, limit, tmp_path_factory):
    file = tmp_path_factory.mktemp("data") / "b.parquet"
    parquet.write_table(pa.table({"index": list(range(rows))}), file)
    dealt = [evaluate_share.share_of(file, number, shares, limit)["index"].to_pylist() for number in range(shares)]
    assert sorted(row for part in dealt for row in part) == list(range(min(rows, limit or rows)))
    assert all(row == number + shares * i for number, part in enumerate(dealt) for i, row in enumerate(part))


def test_merged_answers_have_the_numbers_of_the_whole_and_merging_again_adds_nothing(tmp_path: Path) -> None:
    write_shares(tmp_path, shares=3, problems=8)
    evaluate_share.merge(tmp_path, 3)
    evaluate_share.merge(tmp_path, 3)
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert sorted(row["index"] for row in rows) == list(range(8)) and all(row["index"] == row["text"] for row in rows)
    assert (tmp_path / "evaluation.json").read_text() == "{}"


def test_answers_that_are_there_stay(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text('{"benchmark": "other", "index": 0}\n{"cut o')
    write_shares(tmp_path, shares=2, problems=2)
    evaluate_share.merge(tmp_path, 2)
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [row["benchmark"] for row in rows] == ["other", "b", "b"]


def test_all_nodes_answer_and_one_merges(tmp_path: Path) -> None:
    job = FakeJob(tmp_path, sys.executable, ("n1", "n2"), SLURM_GPUS_ON_NODE="8")
    assert job.run("evaluate.sbatch", "--model", "a b", "--out", "o")[0] == 0
    for role in ("answer", "merge"):
        assert job.step(role)["argv"][1:] == [role, "--shares=2", "--gpus=8", "--", "--model", "a b", "--out", "o"]


def test_a_failed_share_is_the_jobs_end(tmp_path: Path) -> None:
    job = FakeJob(tmp_path, sys.executable, ("n1", "n2"), STEP="sys.exit(2 if role == 'answer' else 0)")
    assert job.run("evaluate.sbatch")[0] == 2 and not (tmp_path / "merge.json").exists()


def test_before_the_time_limit_an_evaluation_is_queued_again(tmp_path: Path) -> None:
    job = FakeJob(tmp_path, sys.executable, STEP=WAITS)
    process = job.start("evaluate.sbatch")
    end = time.monotonic() + 20
    while not (tmp_path / "ready").exists() and time.monotonic() < end:
        time.sleep(0.1)
    process.send_signal(signal.SIGUSR1)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 75 and job.requeued == "17" and "the answers so far are kept" in output


@pytest.mark.parametrize("options, engines", [([], 8), (["--tensor-parallel-size", "4"], 2)])
def test_every_gpu_of_a_node_has_an_engine(tmp_path: Path, options: list[str], engines: int) -> None:
    job = FakeJob(tmp_path, sys.executable, GMPO_PYTHON=sys.executable)
    dry_run = ("--dry-run", "--nodes=2", "--gpus-per-node=8")
    code, output = job.run("evaluate.sbatch", *dry_run, "--model", "m", "--data", "d", "--out", "o", *options)
    assert code == 0, output
    assert output.count(f"gmpo_verl.evaluate --data-parallel-size={engines} --model m") == 1
    assert "--nodelist=node1,node2" in output and " merge --shares=2" in output
