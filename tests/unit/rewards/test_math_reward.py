import asyncio
import inspect
import math
from typing import Any

import pytest

from gmpo_verl.rewards.math_reward import compute_score, grade

KEYS = {"score", "acc", "format_ok", "timed_out", "error"}


def score(response: Any, ground_truth: Any) -> dict[str, float]:
    asynchronous = asyncio.run(compute_score("test", response, ground_truth, extra_info={"index": 0}))
    assert asynchronous == grade(response, ground_truth)
    return asynchronous


@pytest.mark.parametrize(
    ("response", "ground_truth", "acc"),
    [
        (r"\boxed{46}", "46", 1),
        (r"\boxed{46}", 46.0, 1),
        (r"\boxed{46}", ["45\n", "$46$"], 1),
        (r"\boxed{47}", "46", 0),
        ("46", "46", 0),
        (r"\boxed{x^2+2x+1}", "(x+1)^2", 1),
        (r"\boxed{12+34}", "46", 0),
    ],
)
def test_the_score_is_one_for_a_right_box_and_zero_otherwise(response: str, ground_truth: Any, acc: int) -> None:
    row = score(response, ground_truth)
    assert row["score"] == row["acc"] == acc
    assert row["timed_out"] == row["error"] == 0


@pytest.mark.parametrize("response", ["", " ", r"\boxed{", r"\boxed{}", "x" * 1_000_000, "\x00\ud800", None, 5])
@pytest.mark.parametrize("ground_truth", ["46", None, math.nan, [], object()])
def test_whatever_the_text_every_row_has_the_same_keys_with_finite_numbers(response: Any, ground_truth: Any) -> None:
    row = score(response, ground_truth)
    assert set(row) == KEYS
    assert all(isinstance(value, float) and math.isfinite(value) for value in row.values())
    assert row["score"] == row["format_ok"] == 0


def test_a_box_is_the_right_format_whatever_stands_in_it() -> None:
    assert score(r"\boxed{47}", "46")["format_ok"] == 1
    assert score("46", "46")["format_ok"] == 0


@pytest.mark.parametrize(
    ("template", "response", "acc", "format_ok"),
    [
        (None, r"\boxed{46}", 1, 1),
        ("qwen_math", r"\boxed{46}", 1, 1),
        ("qwen_math", "</think> <answer>46</answer>", 0, 0),
        ("r1", "</think> <answer>46</answer>", 1, 1),
        ("r1", r"</think> <answer>\boxed{46}</answer>", 1, 1),
        ("r1", "</think> <answer>47</answer>", 0, 1),
        ("r1", r"\boxed{46}", 0, 0),
        ("r1", r"</think> <answer>\boxed{46</answer>", 0, 1),
        ("none", "The answer is 46.", 1, 1),
        ("none", r"\boxed{46}", 1, 1),
        ("none", "I do not know what it is", 0, 0),
    ],
)
def test_the_template_of_a_row_says_where_its_answer_stands(
    template: Any, response: str, acc: int, format_ok: int
) -> None:
    row = asyncio.run(compute_score("test", response, "46", extra_info={"template": template}))
    assert (row["acc"], row["format_ok"], row["error"]) == (acc, format_ok, 0)
    assert row == grade(response, "46", template)


def test_an_unknown_template_is_a_mistake_of_the_data_set() -> None:
    with pytest.raises(ValueError, match=r"'chatml'.*qwen_math, r1, none"):
        asyncio.run(compute_score("test", r"\boxed{46}", "46", extra_info={"template": "chatml"}))


@pytest.mark.parametrize(
    ("answer", "ground_truth", "acc"),
    [
        (r"10\sqrt{3}", r"10 \sqrt 3", 1),
        ("86.7", "86.7", 1),
        ("86.6", "86.7", 0),
        (r"\sqrt{45}", r"3 \sqrt { 5 }", 1),
        (r"x = 3\sqrt{5}", r"3 \sqrt { 5 }", 1),
        (r"135^\circ", "135", 1),
        (r"m\angle ABC = 135^{\circ}", "135 degrees", 1),
        (r"\frac{5\sqrt{3}}{2}\text{ cm}", r"\frac { 5 \sqrt { 3 } } { 2 }", 1),
        ("17.3", r"10 \sqrt 3", 0),
    ],
)
def test_answers_of_geometry3k(answer: str, ground_truth: str, acc: int) -> None:
    assert score(rf"\boxed{{{answer}}}", ground_truth)["acc"] == acc


def test_a_missing_ground_truth_is_counted_as_an_error() -> None:
    assert score(r"\boxed{46}", None) == {"score": 0, "acc": 0, "format_ok": 1, "timed_out": 0, "error": 1}


def test_what_hangs_is_counted_as_timed_out() -> None:
    row = score(r"\boxed{3219313^{33923273}}", "12")
    assert row == {"score": 0, "acc": 0, "format_ok": 1, "timed_out": 1, "error": 0}


def test_verl_awaits_it_instead_of_blocking_a_thread() -> None:
    assert inspect.iscoroutinefunction(compute_score)
