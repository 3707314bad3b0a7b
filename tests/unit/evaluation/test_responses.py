"""Scoring a file of answers: ours, and the official evaluator's."""

import json

import pytest

from gmpo_verl.errors import UserError
from gmpo_verl.evaluate import main
from gmpo_verl.evaluation.responses import read_responses
from gmpo_verl.evaluation.scored_file import score_file

R1_PROMPT = "A conversation. User: 1?\nAssistant: <think>"


def official(task="aime", outputs=(r"\boxed{1}",), truth="1", prompt="1?", **more):
    return {"task_name": task, "prompt": prompt, "gt": [truth] * len(outputs), "model_output": list(outputs)} | more


def ours(index=0, sample=0, response=r"\boxed{1}", truth="1", **more):
    base = {"benchmark": "amc", "index": index, "prompt": "abc", "sample": sample, "response": response}
    return base | {"ground_truth": truth, "template": "qwen_math", "truncated": False, "tokens": 5} | more


@pytest.fixture
def write(tmp_path):
    def write(content):
        file = tmp_path / "answers.jsonl"
        is_list = isinstance(content, list) and content and "task_name" in content[0]
        file.write_text(json.dumps(content) if is_list else "".join(json.dumps(row) + "\n" for row in content))
        return str(file)

    return write


def test_the_official_form_is_read_under_our_names(write):
    rows = [official(), official("amc", truth=1.0), official("aime"), official("math", outputs=["x", "y"])]
    problems = read_responses(write(rows), 3000)
    assert list(problems) == [("aime24", 0), ("aime24", 1), ("amc", 0), ("math500", 0)]
    assert [row["response"] for row in problems["math500", 0]] == ["x", "y"]


def test_the_official_form_is_scored(write, tmp_path):
    rows = [
        official("aime", [r"\boxed{7}", r"\boxed{8}"], "7"),
        official("amc", [r"\boxed{0.5}", "no box"], 0.5),
        official("minerva", [r"\boxed{4}", r"\boxed{5}"], ["4", "four"]),
        official("olympiad_bench", ["x </think> <answer>$9$</answer>", "<answer>9</answer>"], ["9"], prompt=R1_PROMPT),
    ]
    results = score_file(write(rows), tmp_path / "out", "Qwen2.5-Math-7B", (), 3000)
    assert list(results["benchmarks"]) == ["aime24", "amc", "minerva", "olympiad_bench"]
    assert {name: figures["correct"] for name, figures in results["benchmarks"].items()} == {
        "aime24": 1,
        "amc": 1,
        "minerva": 1,
        "olympiad_bench": 1,
    }
    assert results["average"]["accuracy"]["value"] == 0.5
    assert results["benchmarks"]["amc"]["unformatted"] == 1
    assert results["benchmarks"]["amc"]["truncated"] is None
    assert "Qwen2.5-Math-7B + GMPO (paper)" in (tmp_path / "out" / "results.md").read_text()


def test_official_token_counts_tell_truncated_answers(write, tmp_path):
    rows = [official(outputs=["a", "b"], model_output_token_ids=[[1] * 10, [1] * 9])]
    results = score_file(write(rows), tmp_path / "out", None, (), 10)
    assert results["benchmarks"]["aime24"]["truncated"] == 1


def test_our_own_file_is_scored_whatever_its_order(write, tmp_path):
    rows = [ours(index, sample, rf"\boxed{{{sample}}}") for index in range(3) for sample in range(4)]
    one = score_file(write(rows), tmp_path / "one", "m", (), 3000)
    other = score_file(write(rows[::-1]), tmp_path / "other", "m", (), 3000)
    assert one == other
    assert one["benchmarks"]["amc"]["accuracy"]["value"] == 0.25
    for name in ("results.json", "results.md", "verdicts.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_a_torn_last_line_is_passed_over(write):
    name = write([ours(0), ours(1)])
    with open(name, "a") as lines:
        lines.write('{"benchmark": "amc", "ind')
    assert len(read_responses(name, 3000)) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([{"benchmark": "amc", "index": 0}], "line 1 has no sample, response, ground_truth, template"),
        ([official() | {"gt": ["1", "1"]}], "entry 0 needs model_output and gt as lists of the same length"),
        ([official(), {"task_name": "amc", "prompt": "1?"}], "entry 1 has no gt, model_output"),
        ([ours(truth=None)], "line 1 has no usable ground truth"),
        ([ours(response=3)], "line 1 has a response that is no text"),
        ([ours(template="qwen")], "line 1: .*'qwen'"),
        ([ours(0), ours(0, 1), ours(1)], "has 1 answers of amc 1, but 2 of 0"),
    ],
)
def test_what_is_missing_is_named(write, content, said):
    with pytest.raises(UserError, match=said):
        read_responses(write(content), 3000)


@pytest.mark.parametrize(
    ("text", "said"), [("", "is empty"), ("[", "cannot be read"), ("[]", "empty list"), ("x\n", "no JSON")]
)
def test_other_files_are_refused(tmp_path, text, said):
    (tmp_path / "answers.json").write_text(text)
    with pytest.raises(UserError, match=said):
        read_responses(str(tmp_path / "answers.json"), 3000)
    with pytest.raises(UserError, match="did you mean"):
        read_responses(str(tmp_path / "answer.json"), 3000)


def test_the_command_scores_a_file_and_refuses_a_model_beside_it(write, tmp_path, capsys):
    name = write([ours()])
    assert main(["--responses", name, "--out", str(tmp_path / "out"), "--name", "m"]) == 0
    assert "| **m** | 100.0 (100.0 to 100.0) |" in capsys.readouterr().out
    assert main(["--responses", name, "--out", str(tmp_path / "out"), "--model", "m"]) == 2
    assert "takes no --model" in capsys.readouterr().err
    assert main(["--responses", name, "--out", str(tmp_path / "out"), "--benchmarks", "aime24"]) == 2
    assert "there is amc" in capsys.readouterr().err
