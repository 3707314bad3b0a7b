from fractions import Fraction

import pytest

from gmpo_verl.rewards.plain_numbers import numbers_equal, parse_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", Fraction(12)),
        ("-0.50", Fraction(-1, 2)),
        (".5", Fraction(1, 2)),
        ("5.", Fraction(5)),
        ("025", Fraction(25)),
        ("3/4", Fraction(3, 4)),
        (r"-\frac{3}{4}", Fraction(-3, 4)),
        (r"\frac{-3}{4}", Fraction(-3, 4)),
        (r"1\frac{1}{2}", Fraction(3, 2)),
        (r"-1 \frac{1}{2}", Fraction(-3, 2)),
        (r"8.7 \times 10^{8}", Fraction(870_000_000)),
        (r"5 \cdot 10^{-3}", Fraction(5, 1000)),
        ("1e-5", Fraction(1, 100_000)),
        ("10^6", Fraction(1_000_000)),
        (r"50\%", Fraction(50)),
    ],
)
def test_a_plain_number_has_its_exact_value(text: str, value: Fraction) -> None:
    number = parse_number(text)
    assert number is not None and number.value == value


@pytest.mark.parametrize(
    "text", ["", "x", "1/0", r"\frac{1}{0}", "1+1", "2 3", "2^3", "10^{999}", "9" * 500, "3219313^33923273", "1,5", "٣"]
)
def test_what_is_no_plain_number_is_refused(text: str) -> None:
    assert parse_number(text) is None


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        ("1/3", "0.333333", True),
        ("1/3", "0.333", False),
        ("0.1", "1/10", True),
        ("1000000", "1000001", False),
        (r"1 \times 10^{-9}", r"2 \times 10^{-9}", False),
        (r"6.6 \times 10^{-34}", "0", False),
        (r"50\%", "50", True),
        (r"50\%", "0.5", True),
        (r"50\%", r"0.5\%", False),
    ],
)
def test_numbers_equal_by_value_and_decimals_up_to_rounding(a: str, b: str, equal: bool) -> None:
    first, second = parse_number(a), parse_number(b)
    assert first is not None and second is not None
    assert numbers_equal(first, second) is equal and numbers_equal(second, first) is equal
