import random
import time
from itertools import permutations
from typing import Any

import pytest
from answer_fragments import FRAGMENTS
from answer_groups import DIFFERENT_GROUPS, EQUAL_GROUPS, EQUAL_TO_THE_FIRST
from answer_pairs import DIFFERENT_PAIRS, EQUAL_PAIRS

from gmpo_verl.rewards.answer import MAX_ANSWER_CHARS
from gmpo_verl.rewards.equivalence import acceptable_answers, cheap_verdict, is_equivalent


def wrongly_graded(pairs: Any, equal: bool) -> list[tuple[str, str]]:
    return [(answer, truth) for answer, truth in pairs if is_equivalent(answer, truth) is not equal]


@pytest.mark.parametrize("kind", EQUAL_GROUPS)
def test_all_spellings_of_one_value_are_equal_in_both_directions(kind: str) -> None:
    for group in EQUAL_GROUPS[kind]:
        assert wrongly_graded(permutations(group, 2), equal=True) == []


@pytest.mark.parametrize("kind", DIFFERENT_GROUPS)
def test_different_values_are_different_in_both_directions(kind: str) -> None:
    for group in DIFFERENT_GROUPS[kind]:
        assert wrongly_graded(permutations(group, 2), equal=False) == []


@pytest.mark.parametrize("group", EQUAL_TO_THE_FIRST, ids=lambda group: group[0])
def test_a_value_equals_itself_with_a_name_or_a_unit(group: list[str]) -> None:
    pairs = [(other, group[0]) for other in group[1:]]
    assert wrongly_graded(pairs + [pair[::-1] for pair in pairs], equal=True) == []


@pytest.mark.parametrize(("answer", "ground_truth"), EQUAL_PAIRS)
def test_equal_mathematics_is_equal(answer: str, ground_truth: str) -> None:
    assert is_equivalent(answer, ground_truth)


@pytest.mark.parametrize(("answer", "ground_truth"), DIFFERENT_PAIRS)
def test_different_mathematics_is_different(answer: str, ground_truth: str) -> None:
    assert not is_equivalent(answer, ground_truth)


@pytest.mark.parametrize(
    ("ground_truth", "accepted"),
    [
        ("  5 ", ("5",)),
        (142.0, ("142",)),
        (0.5, ("0.5",)),
        (7, ("7",)),
        (["9.6\n", "$9.7$"], ("9.6", "$9.7$")),
        ([], ()),
        (None, ()),
        (float("nan"), ()),
        (" ", ()),
        ([None, "3"], ("3",)),
    ],
)
def test_a_ground_truth_is_a_string_a_number_or_a_list(ground_truth: Any, accepted: tuple[str, ...]) -> None:
    assert acceptable_answers(ground_truth) == accepted


def test_any_one_of_the_acceptable_answers_is_right() -> None:
    assert is_equivalent("2", ["1", "$2$\n"])
    assert not is_equivalent("3", ["1", "2"])


def test_a_float_of_a_data_set_is_a_number() -> None:
    assert is_equivalent("142", 142.0)
    assert is_equivalent(r"\frac{284}{2}", 142.0)
    assert is_equivalent("1/8", 0.125)
    assert is_equivalent("12300000000000000000000000", 1.23e25)
    assert not is_equivalent("143", 142.0)


@pytest.mark.parametrize(
    ("answer", "truth", "verdict"),
    [
        ("46", "46", True),
        ("47", "46", False),
        ("3219313^33923273 + 1", "46", False),
        ("0.75", r"\frac{3}{4}", True),
        ("(1, 2)", r"\left(1,2\right)", True),
        ("(1, 2)", r"\left(1,3\right)", False),
        ("2, 1", r"\{1, 2\}", True),
        ("odd", r"\text{even}", False),
        (r"x \ge 1", r"[1, \infty)", True),
        (r"2\sqrt{3}", r"\sqrt{12}", None),
        (r"(2\sqrt{3}, 1)", r"(\sqrt{12}, 1)", None),
        (r"(2\sqrt{3}, 2)", r"(\sqrt{12}, 1)", False),
    ],
)
def test_what_text_decides_needs_no_sympy(answer: str, truth: str, verdict: bool | None) -> None:
    assert cheap_verdict(answer, (truth,)) is verdict


def test_an_answer_of_integers_is_right_exactly_when_it_is_the_number() -> None:
    generator = random.Random(0)
    for _ in range(500):
        truth, answer = generator.randrange(-50, 50), generator.randrange(-50, 50)
        assert cheap_verdict(f"{answer}", (f"{truth}",)) is (answer == truth)


@pytest.mark.parametrize("unit", FRAGMENTS)
def test_hostile_repetition_takes_the_cheap_comparison_milliseconds(unit: str) -> None:
    answer = (unit * MAX_ANSWER_CHARS)[:MAX_ANSWER_CHARS]
    for truth in ("46", "(1, 2)", "1, 2", "x = 3", "\\text{yes}", "5 cm", "[1,2)", answer[:-2]):
        start = time.process_time()
        cheap_verdict(answer, (truth,))
        assert time.process_time() - start < 0.2


@pytest.mark.parametrize("answer", ["9" * 200_000, "(" * 3_000 + "1" + ")" * 3_000, "\\frac{" * 50_000])
def test_an_answer_beyond_the_cap_is_wrong_without_being_read(answer: str) -> None:
    assert cheap_verdict(answer, ("46",)) is False


def test_long_lists_are_compared_without_comparing_every_pair() -> None:
    forward, backward = (",".join(f"a{i}" for i in numbers) for numbers in (range(300), range(299, -1, -1)))
    start = time.process_time()
    assert cheap_verdict(forward, (backward,)) is True
    assert cheap_verdict(forward, (backward.replace("a", "b"),)) is False
    assert time.process_time() - start < 0.2
