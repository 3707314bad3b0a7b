import pytest

from gmpo_verl.rewards.intervals import as_interval
from gmpo_verl.rewards.relations import assignment, last_side, left_to_compute, without_approximation


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("x = 5", "x", "5"),
        ("5 = x", "x", "5"),
        ("f(x)=x+1", "f(x)", "x+1"),
        (r"m\angle ABC = 40", r"m\angleABC", "40"),
        ("(x,y)=(1,2)", "(x,y)", "(1,2)"),
        ("x = 1, 2", "x", "1, 2"),
        ("x=12+34=46", "x", "46"),
        ("x=1, y=2", "", "x=1, y=2"),
        ("2x+y=1", "", "2x+y=1"),
        ("x=", "", "x="),
        ("5", "", "5"),
    ],
)
def test_an_assignment_has_a_name_and_a_value(text: str, name: str, value: str) -> None:
    assert assignment(text) == (name, value)


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("12+34=46", "46"),
        ("x+y=5", "5"),
        ("2x-y=0", "2x-y=0"),
        ("7=11a+c", "7=11a+c"),
        ("45,46=46", "45,46=46"),
        ("x>3=5", "x>3=5"),
        ("46", "46"),
    ],
)
def test_a_chain_has_a_result_and_an_equation_has_none(text: str, side: str) -> None:
    assert last_side(text) == side


@pytest.mark.parametrize(
    ("text", "variable", "interval"),
    [
        ("x>3", "x", r"(3,\infty)"),
        ("3<x", "x", r"(3,\infty)"),
        (r"x\le 3", "x", r"(-\infty,3]"),
        (r"1\le x<2", "x", "[1,2)"),
        (r"2>x\ge 1", "x", "[1,2)"),
        ("x>1 and x<2", "x", "(1,2)"),
        ("x<2 and x>1", "x", "(1,2)"),
        ("x>1 and y<2", "", "x>1 and y<2"),
        ("x<y<z", "y", "(x,z)"),
        ("f(2)<f(1)", "", "f(2)<f(1)"),
        ("x<x+1", "", "x<x+1"),
        ("5", "", "5"),
    ],
)
def test_a_bound_on_a_variable_is_an_interval(text: str, variable: str, interval: str) -> None:
    assert as_interval(text) == (variable, interval)


def test_an_approximation_has_one_value_that_depends_on_what_is_asked_for() -> None:
    assert without_approximation(r"\frac{70}{9} \approx 7.78", wants_decimal=False) == r"\frac{70}{9}"
    assert without_approximation(r"\frac{70}{9} \approx 7.78", wants_decimal=True) == "7.78"
    assert without_approximation(r"x \approx 7.78", wants_decimal=False) == "7.78"
    assert without_approximation("7.78", wants_decimal=False) == "7.78"


@pytest.mark.parametrize(
    ("answer", "is_left"),
    [
        ("12+34", True),
        (r"2\cdot 23", True),
        (r"\frac{90+2}{2}", True),
        ("46", False),
        ("-46", False),
        ("2^{1/2}", False),
        ("x+1", False),
    ],
)
def test_numbers_and_operators_alone_are_left_to_compute(answer: str, is_left: bool) -> None:
    assert left_to_compute(answer) is is_left
