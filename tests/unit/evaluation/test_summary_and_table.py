"""The figures of an evaluation and their table."""

import dataclasses
import random

import pytest

from gmpo_verl.evaluation.grading import Verdict
from gmpo_verl.evaluation.paper_tables import MATH_BENCHMARKS, ROWS, rows_for
from gmpo_verl.evaluation.summary import summarize
from gmpo_verl.evaluation.table import markdown


def verdict(correct=True, answer="1", **changes):
    base = Verdict(correct, answer, format_ok=True, ungraded=False, truncated=False, tokens=10)
    return dataclasses.replace(base, **changes)


RIGHT, WRONG = verdict(), verdict(correct=False, answer="2")
CUT = verdict(truncated=True, tokens=30)
SILENT = verdict(correct=False, answer=None, format_ok=False, tokens=None)


def same(a, b):
    return a == b


def flat(node, prefix=""):
    """The numbers of nested dictionaries by their path."""
    if not isinstance(node, dict):
        return {} if isinstance(node, list) else {prefix: node}
    return {key: value for name, child in node.items() for key, value in flat(child, f"{prefix}/{name}").items()}


def test_greedy_figures_are_the_share_of_right_answers():
    figures = summarize({"amc": [[RIGHT], [RIGHT], [WRONG], [SILENT]]})["benchmarks"]["amc"]
    assert figures["accuracy"]["value"] == 0.5
    assert "pass" not in figures
    assert (figures["problems"], figures["answers"], figures["correct"], figures["unformatted"]) == (4, 4, 2, 1)


def test_a_truncated_answer_counts_for_accuracy_and_not_for_the_reward():
    figures = summarize({"amc": [[CUT], [RIGHT]]})["benchmarks"]["amc"]
    assert figures["accuracy"]["value"] == 1
    assert (figures["truncated"], figures["reward"]) == (1, 0.5)
    assert (figures["tokens_mean"], figures["tokens_max"]) == (20, 30)


def test_what_is_not_known_is_not_counted():
    unknown = verdict(truncated=None, tokens=None)
    figures = summarize({"amc": [[unknown]]})["benchmarks"]["amc"]
    assert figures["truncated"] is figures["reward"] is figures["tokens_mean"] is figures["tokens_max"] is None


def test_several_answers_have_pass_and_majority():
    figures = summarize({"amc": [[RIGHT, RIGHT, WRONG, SILENT], [WRONG, WRONG, WRONG, RIGHT]]}, equal=same)
    amc = figures["benchmarks"]["amc"]
    assert amc["accuracy"]["value"] == pytest.approx(3 / 8)
    assert amc["pass"]["4"]["value"] == 1
    assert amc["pass"]["1"]["value"] == amc["accuracy"]["value"]
    assert amc["majority"]["4"]["value"] == 0.5


def test_the_average_is_the_plain_mean_of_benchmarks():
    figures = summarize({"amc": [[RIGHT]] * 3, "minerva": [[WRONG]] * 30})
    assert figures["average"]["accuracy"]["value"] == 0.5


def test_the_order_of_problems_and_answers_does_not_matter():
    rng = random.Random(0)
    problems = [[rng.choice([RIGHT, WRONG, CUT]) for _ in range(4)] for _ in range(20)]
    shuffled = [rng.sample(samples, 4) for samples in problems][::-1]
    before, after = (flat(summarize({"amc": rows}, equal=same)) for rows in (problems, shuffled))
    assert before == pytest.approx(after)


def test_unequal_numbers_of_answers_are_refused():
    with pytest.raises(ValueError, match="equally many"):
        summarize({"amc": [[RIGHT], [RIGHT, WRONG]]})


def results_of(model, names, sampling=None):
    return {"model": model, "sampling": sampling} | summarize({name: [[RIGHT], [WRONG]] for name in names})


def test_the_table_has_the_papers_rows_of_this_model():
    text = markdown(results_of("Qwen2.5-Math-7B gmpo step 500", MATH_BENCHMARKS))
    assert "| Qwen2.5-Math-7B + GMPO (paper) | 43.3 | 61.4 | 82.0 | 33.5 | 43.6 | 52.7 |" in text
    assert "| **Qwen2.5-Math-7B gmpo step 500** | 50.0 (0.0 to 100.0) |" in text
    assert "1.5B" not in text


def test_of_an_unknown_model_all_rows_are_shown():
    assert len(rows_for("something", MATH_BENCHMARKS)) == len(
        [row for row in ROWS if row.model != "Qwen2.5-VL-7B-Instruct"]
    )


def test_of_fewer_benchmarks_the_paper_has_no_average():
    text = markdown(results_of("Qwen2.5-Math-1.5B", ("amc",)))
    assert "| Qwen2.5-Math-1.5B + GMPO (paper) | 53.0 |  |" in text


def test_of_other_benchmarks_the_paper_says_nothing():
    assert "(paper)" not in markdown(results_of("Qwen2.5-Math-1.5B", ("gsm8k",)))


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("Qwen/Qwen2.5-Math-7B", "Qwen2.5-Math-7B"),
        ("qwen2_5_math_1_5b", "Qwen2.5-Math-1.5B"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "R1-Distill-Qwen-7B"),
    ],
)
def test_a_models_name_chooses_its_rows(name, model):
    assert {row.model for row in rows_for(name, MATH_BENCHMARKS)} == {model}


def test_the_papers_averages_are_the_means_of_its_rows():
    for row in ROWS:
        if row.average is not None:
            assert sum(row.scores.values()) / 5 == pytest.approx(row.average, abs=0.11), row.name
