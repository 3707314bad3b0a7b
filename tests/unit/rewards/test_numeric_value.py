r"""The value of a text is the value of what the LaTeX parser of math-verify reads in it, or there is none."""

import string
from collections.abc import Iterable
from itertools import permutations
from pathlib import Path

import pytest
from answer_fragments import FRAGMENTS
from answer_groups import EQUAL_GROUPS
from answer_pairs import EQUAL_PAIRS
from hostile_answers import hostile_answer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gmpo_verl.rewards.equivalence import cheap_verdict
from gmpo_verl.rewards.normalization import normalize
from gmpo_verl.rewards.numeric_value import numeric_value, values_differ, variable_value

# "A", "B" and "C" stand for expressions, "_" for a space.
_OPERATIONS = r"""
A+B A-B -A (A)-(B) A\cdot_B A\times_-B A*B A/B A/BC A/B/C AB (A)(B) A(B) (A+B)(A-B) A^2-B^2 A-B+C
(A)^{2} (A)^{-3} (A)^3 A^2B A^{B} 2^{A} e^{A} e^2A \frac{A}{B} 2\frac{A}{B} \frac{A+B}{C} 5! \frac{A!}{B!} 3!A
\sqrt{A} A\sqrt{B} \sqrt[3]{A} (A)\sqrt{B} \binom{5}{2} \binom{A}{B} 2\binom{4}{2}
\sin(A) \cos(A)\sin(B) \cot(A) \tan^2(A) \sin_A \ln(A) \ln_A B\ln(A)+C
"""
_ATOMS = r"0 1 2 3 7 12 100 0.5 2.25 1.1 x y n x_1 x_{1} \omega_c i e \pi \frac{1}{2} \frac{6}{3} \sqrt{5}"
OPERATIONS, ATOMS = _OPERATIONS.split(), _ATOMS.split()


def filled(operation: str, a: str, b: str, c: str) -> str:
    text = operation.replace("_", " ")
    for name, part in (("A", a), ("B", b), ("C", c)):
        text = text.replace(name, part)
    return text


expressions = st.recursive(
    st.sampled_from(ATOMS),
    lambda parts: st.builds(filled, st.sampled_from(OPERATIONS), parts, parts, parts),
    max_leaves=8,
)
anything = st.one_of(
    st.text(alphabet=string.printable + "\\{}^_$\u2212\ud800\u0663\u00b2", max_size=100),
    st.lists(st.sampled_from([*FRAGMENTS, *ATOMS, "(", ")", "^", "{", "}", "!", "-", "/"]), max_size=15).map("".join),
)


def value_by_sympy(text: str) -> complex | None:
    """None where a letter stands before a bracket: to the parser that is any function, and multiplication is one."""
    from sympy import Rational, Symbol
    from sympy.core.function import AppliedUndef

    from gmpo_verl.rewards.symbolic import _parse

    parsed = _parse(text)
    values = {
        Symbol(name.strip("\\"), real=True): Rational(variable_value(name))
        for name in ("x", "y", "n", "x_1", r"\omega_c")
    }
    return None if parsed.has(AppliedUndef) else complex(parsed.subs(values).doit().evalf(30))


@given(expressions)
@example("1/2x")
@example("xe^2x")
@example("2(1+2)")
@example(r"-2\frac{1}{2}")
@example(r"2\ln(3)+1")
@settings(max_examples=100)
def test_the_value_is_sympys(text: str) -> None:
    value = numeric_value(text)
    expected = None if value is None else value_by_sympy(text)
    if value is not None and expected is not None:
        assert abs(value - expected) <= 1e-9 * max(1, abs(expected))


@given(expressions)
@settings(max_examples=60)
def test_an_expression_and_its_expanded_form_do_not_differ(text: str) -> None:
    from sympy import expand, latex

    from gmpo_verl.rewards.symbolic import _parse

    if numeric_value(text) is not None:
        expanded = normalize(latex(expand(_parse(text)), ln_notation=True, mul_symbol="dot", imaginary_unit="i"))
        assert not values_differ(expanded, text), expanded


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (r"2\sqrt{3}", r"12\pi"),
        (r"\frac{-1 + \sqrt{5}}{2}", "3"),
        ("x^2-5x+6", "x^2+5x+6"),
        ("2x", "2y"),
        ("x+1", "7"),
        ("ab", "a+b"),
        ("3-4i", "3+4i"),
        ("e^{-2t}", "e^{2t}"),
        (r"\theta+1", r"\omega+1"),
        ("x_1+x_2", "x_1+x_3"),
        (r"\frac{n(n+1)}{2}", r"\binom{8}{2}"),
        ("5!", "119+e"),
        ("4", r"\begin{pmatrix}2 & 7 \\ 13 & -2 \end{pmatrix}"),
        ("8-i", r"(-\infty,-4)\cup(-4,6)\cup(6,\infty)"),
    ],
)
def test_clearly_different_values_differ(a: str, b: str) -> None:
    assert values_differ(a, b) and values_differ(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("(x+1)^2", "x^2+2x+1"),
        ("x - x + 5", "5"),
        (r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt{2}}{2}"),
        (r"\sqrt{2}", "1.414214"),  # six decimals
        (r"\sqrt{x^2}", "x"),
        ("1-0.9999999", "0"),
        (r"2\sqrt{2} - \sqrt{8}", "0"),
        (r"(2+i)(2-i)", "5"),
        ("abc", "cba"),
        ("3", r"\begin{pmatrix}3\end{pmatrix}"),
        ("3", r"[3,3] \cup [3,3]"),
        ("x_{1}+x_2", "x_2+x_1"),
    ],
)
def test_equal_and_almost_equal_values_do_not_differ(a: str, b: str) -> None:
    assert not values_differ(a, b) and not values_differ(b, a)


@pytest.mark.parametrize(
    "text",
    [
        *("", "x = 5", "y = 2x+1", "x < 1", "1, 2", r"\{1\}", r"50\%", r"\text{yes}", r"60^\circ", r"1 \pm 2", "|x|"),
        *("2(3)", "(2)(3)", r"2\binom{4}{2}", "2 3", "x2"),  # a mixed number, or the parser's own idea
        *(
            "dx",
            "E",
            "I",
            "x^T",
            "x'",
            "x_12",
            "x_{ab}",
            "e_1",
            "101_2",
            r"\tau",
            r"(\tau)",
            "2^3^4",
            "2^3!",
            "x!",
            "21!",
            "2!!",
        ),
        *(r"\sin 2x", r"\sin x \cdot y", r"\sin^{-1} x", r"\sin(x)^2", r"\sin i", r"\sin \pi", r"\tan\frac{\pi}{2}"),
        *(
            r"\sqrt{-3}",
            "(-8)^{1/3}",
            "0^x",
            "i^i",
            r"\ln(-1)",
            r"\log_2 3",
            r"\ln 1",
            r"\frac{1}{0}",
            "0^{-1}",
            r"\sqrt[0]{2}",
        ),
        *("9^{999999}", "9^{9^{9}}", "i^{1001}", "(-1)^{9007199254740993}", r"\sqrt{2}-1.4142135", r"\infty"),
    ],
)
def test_outside_the_grammar_and_where_it_is_unsafe_there_is_no_value(text: str) -> None:
    assert numeric_value(text) is None


@given(anything)
@settings(max_examples=1500)
def test_no_text_makes_it_raise(text: str) -> None:
    value = numeric_value(text)
    assert value is None or abs(value) < float("inf")


@pytest.mark.parametrize("unit", [*FRAGMENTS, "-", "(x", r"\sin", r"\frac{", r"\sqrt[", "2^{", "9/", "x^2+", "(9!)^"])
def test_long_and_deep_texts_have_no_value_or_a_finite_one(unit: str) -> None:
    for count in (10, 100, 100_000):
        value = numeric_value(unit * count)
        assert value is None or abs(value) < float("inf")


def test_hostile_answers_make_it_neither_raise_nor_compute(tmp_path: Path) -> None:
    for index in range(112):
        for text in hostile_answer(index, tmp_path / "touched"):
            numeric_value(text)
    assert not any(tmp_path.iterdir())


def undecided_or_right(pairs: Iterable[tuple[str, str]]) -> bool:
    return all(cheap_verdict(answer, (truth,)) is not False for answer, truth in pairs)


def test_no_equal_pair_is_told_apart() -> None:
    groups = [group for groups in EQUAL_GROUPS.values() for group in groups]
    assert undecided_or_right(pair for group in groups for pair in permutations(group, 2))
    assert undecided_or_right(EQUAL_PAIRS)
