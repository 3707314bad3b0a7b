"""CountDown's reward against an oracle that tries everything, and against hostile text."""

import asyncio
import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmpo_verl.rewards.countdown import MAX_CHARS, MAX_DEPTH, Goal, NoExpressionError, evaluate, goal_of
from gmpo_verl.rewards.equivalence import acceptable_answers
from gmpo_verl.rewards.math_reward import compute_score, grade

GOAL = Goal((3, 7, 5), 26)
numbers = st.integers(0, 99)


def trees(values):
    """Every way to combine the values, in this order, as (expression, value or None where it divides by zero)."""
    if len(values) == 1:
        yield str(values[0]), Fraction(values[0])
        return
    for cut in range(1, len(values)):
        for (left, a), (right, b) in itertools.product(trees(values[:cut]), trees(values[cut:])):
            for sign in "+-*/":
                if a is None or b is None or (sign == "/" and b == 0):
                    value = None
                else:
                    value = {"+": a + b, "-": a - b, "*": a * b}[sign] if sign != "/" else a / b
                yield f"({left}{sign}{right})", value


@settings(max_examples=30)
@given(st.lists(numbers, min_size=1, max_size=3))
def test_every_expression_has_the_value_that_a_search_over_all_of_them_gives_it(values):
    for text, value in trees(values):
        if value is None:
            with pytest.raises(NoExpressionError):
                evaluate(text)
        else:
            assert evaluate(text) == (value, values)


@pytest.mark.parametrize("numbers", [(2, 3, 5), (1, 1, 8), (4, 7, 7), (6, 2, 3)])
def test_a_target_is_reached_by_exactly_the_expressions_that_a_search_finds(numbers):
    found = [pair for order in itertools.permutations(numbers) for pair in trees(list(order))]
    for target in (0, 1, 7, 24):
        goal = Goal(numbers, target)
        assert [goal.is_reached(text) for text, _ in found] == [value == target for _, value in found]


@given(st.lists(numbers, min_size=2, max_size=6), st.lists(st.sampled_from("+-*/"), min_size=5, max_size=5))
def test_precedence_is_that_of_python(values, signs):
    text = str(values[0]) + "".join(sign + str(value) for sign, value in zip(signs, values[1:], strict=False))
    try:
        # Of text that was made here, from fractions alone.
        expected = eval("".join(f"Fraction({part})" if part.isdigit() else part for part in split(text)))
    except ZeroDivisionError:
        with pytest.raises(NoExpressionError):
            evaluate(text)
    else:
        assert evaluate(text) == (expected, values)


def split(text):
    return ["".join(group) for _, group in itertools.groupby(text, str.isdigit)]


@pytest.mark.parametrize(
    ("answer", "reached"),
    [
        ("3*7+5", True),
        (" 5 + (7 * 3) = 26", True),
        (r"3 \times 7 + 5", True),
        ("3\N{MULTIPLICATION SIGN}7+5", True),
        (r"\left(3\cdot 7\right)+5", True),
        ("3*7+5=27", False),
        ("26", False),
        ("3*7+5+0", False),
        ("21+5", False),
        ("3*7+5=", False),
        ("3*7+5=26=26", False),
        ("37+5", False),
        ("", False),
    ],
)
def test_every_number_is_used_once_and_nothing_else(answer, reached):
    assert GOAL.is_reached(answer) is reached


def test_a_number_that_is_given_twice_is_used_twice():
    goal = Goal((2, 2, 3), 7)
    assert goal.is_reached("2*2+3") and not goal.is_reached("2*3+1") and not goal.is_reached("2*2+2+1")


def test_a_fraction_on_the_way_is_exact():
    assert Goal((1, 3, 3, 9), 9).is_reached("1/3*3*9")
    assert Goal((8, 3, 8, 3), 24).is_reached("8/(3-8/3)")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "__import__('os').system('true')",
            "3**7**99999",
            "9" * 400,
            "(" * 400,
            "1/0",
            "1/(2-2)",
            "-3+5",
            "3(7)",
            "007",
        ),
        *("3 7", "3+", "+", "()", "1e9", "0x10", "1_000", "\N{ARABIC-INDIC DIGIT THREE}+5", "3//2", "3%2", "lambda:0"),
        *("(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1), "1+" * MAX_CHARS + "1", "3!", "\\frac{3}{5}", "²"),
    ],
)
def test_hostile_and_malformed_text_is_no_expression_and_never_reaches_anything(text):
    with pytest.raises(NoExpressionError):
        evaluate(text)
    assert not GOAL.is_reached(text)


@given(st.text(max_size=600) | st.text("0123456789+-*/()=. \\", max_size=600))
def test_no_text_raises(text):
    assert GOAL.is_reached(text) in (True, False)


@given(st.lists(st.integers(0, 10**9 - 1), min_size=1, max_size=16), st.integers(-999, 999))
def test_a_goal_survives_as_a_ground_truth(values, target):
    goal = Goal(tuple(values), target)
    assert goal_of(goal.ground_truth) == goal
    assert goal_of([goal.ground_truth]) == goal
    assert acceptable_answers(goal.ground_truth) == (goal.ground_truth,)


@pytest.mark.parametrize("truth", ["26", 26, None, [], ["5"], "countdown: x from 3", "26 from 3 7 5", {"target": 26}])
def test_other_ground_truths_are_no_goals(truth):
    assert goal_of(truth) is None


@pytest.mark.parametrize(
    ("response", "score", "format_ok"),
    [
        (r"3*7=21\n21+5=26\n\boxed{3*7+5}", 1.0, 1.0),
        (r"\boxed{3*7+6}", 0.0, 1.0),
        (r"\boxed{26}", 0.0, 1.0),
        ("3*7+5", 0.0, 0.0),
    ],
)
def test_the_reward_grades_a_boxed_expression_in_training_and_in_evaluation(response, score, format_ok):
    row = grade(response, [GOAL.ground_truth])
    assert (row["score"], row["acc"], row["format_ok"]) == (score, score, format_ok)
    assert (row["timed_out"], row["error"]) == (0.0, 0.0)
    assert asyncio.run(compute_score("countdown", response, GOAL.ground_truth)) == row
