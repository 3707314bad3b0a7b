"""Properties of the comparison on generated answers."""

import string
from fractions import Fraction
from random import Random

from answer_fragments import FRAGMENTS
from answer_groups import EQUAL_GROUPS
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gmpo_verl.rewards.equivalence import cheap_verdict, is_equivalent, symbolic_verdict
from gmpo_verl.rewards.normalization import normalize

SPELLINGS = sorted({spelling for groups in EQUAL_GROUPS.values() for group in groups for spelling in group})

anything = st.one_of(
    st.text(alphabet=string.printable + "\\{}^_$\u2212\ud800", max_size=200),
    st.lists(st.sampled_from(FRAGMENTS), max_size=15).map("".join),
    st.sampled_from(SPELLINGS),
)
numbers = st.fractions(min_value=-10_000, max_value=10_000, max_denominator=1000)


@given(anything, anything)
@example("5^{th}", r">>>>{\frac\frac(x = 5")
@example("x = 1, 2" * 100, "1+i, 1-i" * 100)
@settings(max_examples=1500)
def test_no_text_makes_the_cheap_comparison_raise(answer: str, truth: str) -> None:
    assert cheap_verdict(answer, (truth,)) in (True, False, None)


@given(anything)
@settings(max_examples=1500)
def test_an_answer_equals_itself(text: str) -> None:
    if normalize(text):
        assert cheap_verdict(text, (text,)) is True


@given(st.sampled_from(SPELLINGS))
@settings(max_examples=len(SPELLINGS))
def test_normalizing_twice_changes_nothing(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text)


@given(numbers, numbers)
def test_fractions_are_equal_exactly_when_their_values_are(a: Fraction, b: Fraction) -> None:
    spellings_a = [f"{a.numerator}/{a.denominator}", rf"\frac{{{2 * a.numerator}}}{{{2 * a.denominator}}}", f"x = {a}"]
    spelling_b = rf"\dfrac{{{b.numerator}}}{{{b.denominator}}}"
    for spelling in spellings_a:
        assert cheap_verdict(spelling, (spelling_b,)) is (a == b)
        assert cheap_verdict(spelling_b, (spelling,)) is (a == b)


@given(st.lists(numbers, min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_lists_and_sets_have_no_order_and_tuples_have(values: list[Fraction], order: Random) -> None:
    shuffled = list(values)
    order.shuffle(shuffled)
    one, other = (", ".join(map(str, items)) for items in (values, shuffled))
    assert cheap_verdict(one, (other,)) is True
    assert cheap_verdict(rf"\{{{one}\}}", (other,)) is True
    assert cheap_verdict(f"({one})", (f"({other})",)) is (values == shuffled)


@given(numbers)
def test_six_decimals_equal_a_fraction_and_three_do_not(value: Fraction) -> None:
    exact = f"{value.numerator}/{value.denominator}"
    if abs(value) >= 1:
        assert cheap_verdict(f"{float(value):.6f}", (exact,)) is True
    three_decimals = f"{float(value):.3f}"
    if abs(Fraction(three_decimals) - value) >= Fraction(1, 10**6):
        assert cheap_verdict(three_decimals, (exact,)) is False


@given(st.integers(-30, 30), st.integers(-30, 30), st.integers(1, 9))
@settings(max_examples=25)
def test_reordered_and_expanded_polynomials_stay_equal(a: int, b: int, c: int) -> None:
    expanded = f"{c}x^2 + ({c * (a + b)})x + ({c * a * b})"
    factored = f"{c}(x + ({a}))(x + ({b}))"
    reordered = f"({c * a * b}) + {c}x^2 + ({c * (a + b)})x"
    wrong = f"{c}(x + ({a}))(x + ({b + 1}))"
    assert symbolic_verdict(factored, (expanded,)) and symbolic_verdict(reordered, (factored,))
    assert not symbolic_verdict(wrong, (expanded,))


@given(
    st.lists(
        st.sampled_from([fragment for fragment in FRAGMENTS if "^" not in fragment and fragment != "!"]), max_size=8
    ).map("".join)
)
@settings(max_examples=150)
def test_no_text_makes_the_symbolic_comparison_raise(answer: str) -> None:
    assert is_equivalent(answer, r"\frac{x+1}{2}") in (True, False)
