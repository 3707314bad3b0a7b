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


def test_a_missing_ground_truth_is_counted_as_an_error() -> None:
    assert score(r"\boxed{46}", None) == {"score": 0, "acc": 0, "format_ok": 1, "timed_out": 0, "error": 1}


def test_what_hangs_is_counted_as_timed_out() -> None:
    row = score(r"\boxed{3219313^{33923273}}", "12")
    assert row == {"score": 0, "acc": 0, "format_ok": 1, "timed_out": 1, "error": 0}


def test_verl_awaits_it_instead_of_blocking_a_thread() -> None:
    assert inspect.iscoroutinefunction(compute_score)
