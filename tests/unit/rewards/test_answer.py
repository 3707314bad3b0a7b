import time

import pytest

from gmpo_verl.rewards.answer import MAX_ANSWER_CHARS, extract_answer, is_format_ok


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"so it is \boxed{42}.", "42"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"first \boxed{1}, but no: the answer is \boxed{2}", "2"),
        (r"\boxed{\left\{1, 2\right\}}", r"\left\{1, 2\right\}"),
        (r"\boxed{\begin{pmatrix} 1 \\ 2 \end{pmatrix}}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        (r"\boxed {7}", "7"),
        (r"\fbox{7}", "7"),
        (r"\boxed 7$", "7"),
        (r"\boxed{\boxed{5}}", r"\boxed{5}"),
        ("a stray } before \\boxed{3} and a { behind", "3"),
    ],
)
def test_the_last_balanced_box_is_the_answer(response: str, answer: str) -> None:
    assert extract_answer(response) == answer


@pytest.mark.parametrize("response", ["", "42", r"the answer is \boxed{42", r"\boxed", "boxed{42}", r"\boxed{" * 1000])
def test_without_a_balanced_box_there_is_no_answer(response: str) -> None:
    assert extract_answer(response) is None
    assert not is_format_ok(response)


def test_an_unclosed_box_does_not_hide_a_closed_one() -> None:
    assert extract_answer(r"\boxed{4 and then \boxed{5}") == "5"
    assert extract_answer(r"\boxed{4} and then \boxed{5") == "4"


def test_an_empty_box_is_an_answer_in_the_wrong_format() -> None:
    assert extract_answer(r"\boxed{ }") == ""
    assert not is_format_ok(r"\boxed{ }")


@pytest.mark.parametrize(
    "response",
    [
        r"$x=\boxed{1}$ and $\boxed{2}$",
        r"\boxed{1}, \boxed{2}",
        r"\boxed{1} or \boxed{2}",
        r"\boxed{1}\text{ and }\boxed{2}",
    ],
)
def test_boxes_that_belong_together_are_one_answer(response: str) -> None:
    assert extract_answer(response) == "1, 2"


def test_nothing_counts_after_a_stop_marker() -> None:
    assert extract_answer(r"\boxed{1}<|im_end|> next question: \boxed{2}") == "1"
    assert extract_answer(r"<|endoftext|>\boxed{2}") is None


def test_an_answer_beyond_the_cap_counts_as_none() -> None:
    assert extract_answer(rf"\boxed{{{'1' * MAX_ANSWER_CHARS}}}") == "1" * MAX_ANSWER_CHARS
    assert extract_answer(rf"\boxed{{{'1' * (MAX_ANSWER_CHARS + 1)}}}") is None


@pytest.mark.parametrize(
    "unit", ["{", "}", r"\boxed{", r"\boxed{}", r"\boxed{1}, ", "\\", "x", r"\{", "\x00", "\ud800"]
)
def test_a_megabyte_of_anything_takes_well_under_a_second(unit: str) -> None:
    start = time.perf_counter()
    extract_answer(unit * (1_000_000 // len(unit)))
    assert time.perf_counter() - start < 0.5
