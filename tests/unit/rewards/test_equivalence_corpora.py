"""The comparison on every ground truth of MATH and of the evaluation suite."""

from pathlib import Path

import pytest
from corpora import REWRITES, evaluation_suite, math_answers

from gmpo_verl.rewards.answer import extract_answer
from gmpo_verl.rewards.equivalence import acceptable_answers, cheap_verdict, is_equivalent
from gmpo_verl.rewards.normalization import normalize


def test_every_ground_truth_of_the_benchmarks_in_a_box_equals_itself_by_its_text(shared_data: Path) -> None:
    for truth in evaluation_suite(shared_data):
        for text in acceptable_answers(truth):
            answer = extract_answer(f"Therefore the answer is $\\boxed{{{text}}}$.")
            assert answer is not None and cheap_verdict(answer, acceptable_answers(truth)) is True, text


def test_every_answer_of_math_equals_itself_by_its_text_and_is_normalized_once_and_for_all(shared_data: Path) -> None:
    for text in math_answers(shared_data):
        assert cheap_verdict(text, (text,)) is True, text
        assert normalize(normalize(text)) == normalize(text), text


def test_the_next_problems_answer_is_wrong(shared_data: Path) -> None:
    truths = [acceptable_answers(truth) for truth in evaluation_suite(shared_data)]
    neighbours = zip([answers[0] for answers in truths[1:]], truths, strict=False)
    equal = [
        (answer, truth) for answer, truth in neighbours if answer not in truth and is_equivalent(answer, list(truth))
    ]
    # Neighbours that do have the same value, written differently.
    assert equal == [("x=5", ("5",))]


def test_the_next_problems_answer_is_wrong_in_math(shared_data: Path) -> None:
    answers = math_answers(shared_data)
    pairs = zip(answers[1:], answers, strict=False)
    equal = {(answer, truth) for answer, truth in pairs if answer != truth and is_equivalent(answer, truth)}
    assert equal == {
        ("K=8", "8"),
        ("25", r"25\%"),
        ("7", r"7\%"),
        (r"120^\circ", "120"),
        ("120", r"120^\circ"),
        ("21", r"21\text{ dogs}"),
        ("18", r"18 \text{ degrees}"),
        (r"\frac34", r"\frac{3}{4}"),
    }


@pytest.mark.parametrize("rewrite", REWRITES)
def test_a_rewritten_answer_stays_right(shared_data: Path, rewrite: str) -> None:
    spell = REWRITES[rewrite]
    truths = [text for truth in evaluation_suite(shared_data) for text in acceptable_answers(truth)]
    rewritten = {(spell(text), text) for text in truths + math_answers(shared_data)}
    wrong = [(answer, truth) for answer, truth in rewritten if answer != truth and not is_equivalent(answer, truth)]
    assert wrong == []
