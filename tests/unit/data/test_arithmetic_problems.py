"""The additions: disjoint, determined by the seed, well-formed however hard."""

import random
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmpo_verl.data.arithmetic.problems import (
    Slip,
    demonstration,
    draw_slip,
    prompt,
    rows,
    split_problems,
)
from gmpo_verl.data.arithmetic.settings import ArithmeticTask
from gmpo_verl.errors import UserError

TASK = ArithmeticTask()
HARDER = [
    ArithmeticTask(digits=3, train_size=300),
    ArithmeticTask(terms=4, worked_steps=True, train_size=300),
    ArithmeticTask(digits=9, terms=2, worked_steps=True, train_size=300),
    ArithmeticTask(digits=2, terms=9, train_size=300),
]


def boxed(text: str) -> int:
    return int(re.fullmatch(r"(?:.*\n)*\\boxed\{(\d+)\}", text)[1])


def test_no_training_problem_is_a_validation_problem_in_any_order() -> None:
    train, validation = split_problems(TASK)
    assert len(validation) == 128
    assert len(set(train)) == len(train) > 7800
    assert not {tuple(sorted(p)) for p in train} & {tuple(sorted(p)) for p in validation}


def test_the_seed_alone_decides_the_problems() -> None:
    assert split_problems(TASK) == split_problems(ArithmeticTask())
    assert split_problems(TASK) != split_problems(ArithmeticTask(seed=1))


@pytest.mark.parametrize("task", [TASK, *HARDER], ids=lambda task: f"{task.terms}x{task.digits}")
def test_every_problem_has_the_terms_and_digits_asked_for(task: ArithmeticTask) -> None:
    train, validation = split_problems(task)
    for problem in train + validation:
        assert len(problem) == task.terms
        assert all(len(str(term)) == task.digits for term in problem)
        assert len(prompt(problem)) == task.prompt_tokens


def test_a_worked_demonstration_shows_the_partial_sums_before_the_box() -> None:
    assert demonstration((12, 34, 56), worked_steps=True) == "12+34=46\n46+56=102\n\\boxed{102}"
    assert demonstration((12, 34, 56)) == "\\boxed{102}"


def test_a_slip_is_carried_on_by_the_later_partial_sums() -> None:
    assert demonstration((12, 34, 56), True, Slip(0, -3)) == "12+34=43\n43+56=99\n\\boxed{99}"


@given(
    problem=st.lists(st.integers(1, 999), min_size=2, max_size=6).map(tuple),
    slip_range=st.integers(1, 9),
    worked_steps=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_every_slip_moves_the_answer_by_its_offset_and_never_below_zero(
    problem: tuple[int, ...], slip_range: int, worked_steps: bool, seed: int
) -> None:
    slip = draw_slip(problem, slip_range, random.Random(seed))
    wrong = demonstration(problem, worked_steps, slip)
    assert 1 <= abs(slip.offset) <= slip_range
    assert boxed(wrong) == sum(problem) + slip.offset >= 0
    assert boxed(demonstration(problem, worked_steps)) == sum(problem)


def test_every_offset_of_a_slip_is_as_likely() -> None:
    rng = random.Random(0)
    offsets = [draw_slip((50, 50), 9, rng).offset for _ in range(18_000)]
    counts = [offsets.count(offset) for offset in range(-9, 10) if offset]
    assert sum(counts) == 18_000
    assert all(850 < count < 1150 for count in counts)


@settings(max_examples=30)
@given(digits=st.integers(1, 4), terms=st.integers(2, 4), worked_steps=st.booleans(), seed=st.integers(0, 99))
def test_no_demonstration_is_longer_than_the_task_says(digits: int, terms: int, worked_steps: bool, seed: int) -> None:
    task = ArithmeticTask(digits=digits, terms=terms, worked_steps=worked_steps, validation_size=1, seed=seed)
    rng = random.Random(seed)
    largest = (10**digits - 1,) * terms
    texts = [demonstration(largest, worked_steps)]
    texts += [demonstration(largest, worked_steps, draw_slip(largest, 9, rng)) for _ in range(50)]
    lengths = [len(text.replace("\\boxed{", "B")) + 1 for text in texts]
    assert lengths[0] == task.response_tokens >= max(lengths)


def test_rows_carry_what_verl_reads() -> None:
    (row,) = rows([(37, 58)], "validation")
    assert row["data_source"] == "arithmetic"
    assert list(row["prompt"]) == [{"role": "user", "content": "37+58="}]
    assert row["ability"] == "math"
    assert row["reward_model"] == {"style": "rule", "ground_truth": "95"}
    assert row["extra_info"] == {"index": 0, "split": "validation"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("digits", 0),
        ("digits", "two"),
        ("terms", 1),
        ("terms", 10),
        ("worked_steps", 1),
        ("seed", -1),
        ("validation_size", 0),
        ("validation_size", 5000),
        ("train_size", 0),
        ("clean_steps", -1),
        ("slip_steps", 1.5),
        ("slip_share", 1.1),
        ("slip_share", float("nan")),
        ("slip_range", 10),
        ("batch_size", 0),
        ("learning_rate", None),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_option(field: str, value: object) -> None:
    with pytest.raises(UserError, match=rf"^arithmetic\.{field}="):
        replace(TASK, **{field: value})


def test_too_many_digits_in_all_are_refused() -> None:
    with pytest.raises(UserError, match=r"arithmetic\.terms=3 of arithmetic\.digits=7"):
        ArithmeticTask(digits=7, terms=3)
