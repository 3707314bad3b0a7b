"""An answer is shown with what the grader read, what it got and why."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmpo_verl.reporting.sample import HEAD_CHARS, TAIL_CHARS, Sample, sample_of


def made(max_length: int | None = 8, **row: Any) -> Sample:
    return sample_of({"step": 1, "input": "50+45=", "gts": "95", **row}, 0, "rollout", max_length, "arithmetic")


def test_a_wrong_answer_says_what_was_read_and_that_it_is_below_its_group() -> None:
    sample = made(output=r"\boxed{97}", score=0.0, length=5, advantage=-0.54)
    assert (sample.answer, sample.truth, sample.right, sample.truncated) == ("97", "95", False, False)
    assert "does not equal" in sample.why
    assert "below its group's mean" in sample.why
    assert "-0.54" in sample.why


def test_the_verdict_is_the_accuracy_where_a_rule_of_training_gave_another_reward() -> None:
    sample = made(output=r"\boxed{95}", score=0.0, acc=1.0, truncated=1.0)
    assert sample.right
    assert sample.truncated
    assert "cut off" in sample.why


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"output": "\\boxed{1}", "score": 0.0, "timed_out": 1.0}, "too long"),
        ({"output": "\\boxed{1}", "score": 0.0, "error": 1.0}, "failed"),
        ({"output": "no box", "score": 0.0}, "No answer was found"),
        ({"output": "\\boxed{95}", "score": 1.0}, "equals the ground truth"),
        ({"output": "\\boxed{95}", "score": 0.25}, "gave 0.25"),
        ({"output": "\\boxed{95}"}, "no grade"),
        ({"output": "\\boxed{95}", "score": 1.0, "advantage": 0.0}, "taught nothing"),
    ],
)
def test_each_reward_has_its_reason(row: dict[str, Any], words: str) -> None:
    assert words in made(**row).why


def test_the_template_is_told_by_the_prompt_and_the_grade() -> None:
    r1 = made(input="User: 1+1\nAssistant: <think>", output="so </think> <answer>2</answer>", score=1.0)
    assert (r1.answer, r1.question) == ("2", "User: 1+1\nAssistant: <think>")
    assert made(output="The answer is 12.", score=1.0).answer == "12"
    assert made(output="The answer is 12.", score=0.0).answer is None


@pytest.mark.parametrize(
    "prompt",
    [
        "system\nReason.\nuser\nWhat is\n1+1?\nassistant\n",
        "A conversation.\nUser: What is\n1+1?\nAssistant: <think>",
        "What is\n1+1?",
    ],
)
def test_the_question_is_the_prompt_without_its_template(prompt: str) -> None:
    assert made(input=prompt, output="").question == "What is\n1+1?"


def test_a_response_at_the_limit_without_an_answer_counts_as_cut_off_where_the_dump_does_not_say() -> None:
    assert made(output="still thinking", score=0.0, length=8).truncated is True
    assert made(output="\\boxed{95}", score=1.0, length=8).truncated is False
    assert made(output="still thinking", score=0.0, length=8, truncated=0.0).truncated is False
    assert made(max_length=None, output="still thinking", score=0.0, length=8).truncated is None


def test_a_megabyte_keeps_its_head_its_tail_and_its_answer() -> None:
    sample = made(output="x" * 1_000_000 + "\\boxed{95}", score=1.0)
    assert len(sample.output) == HEAD_CHARS + TAIL_CHARS + 3
    assert sample.chars_cut == 1_000_010 - HEAD_CHARS - TAIL_CHARS
    assert sample.output.endswith("\\boxed{95}")
    assert sample.answer == "95"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=2)
)
KEYS = ["input", "output", "gts", "score", "acc", "truncated", "length", "advantage", "log_ratio_sum", "data_source"]


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_a_row_of_any_types_is_a_sample(row: dict[str, Any]) -> None:
    sample = sample_of({"step": 3, **row}, 0, "validation", 8, "")
    assert sample.step == 3
    assert isinstance(sample.why, str)
