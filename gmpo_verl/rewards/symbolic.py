r"""Equality by sympy and math-verify. Untrusted text may make it run forever: only in a process that can be killed."""

import re
from typing import Any

from gmpo_verl.rewards.plain_numbers import ABSOLUTE_TOLERANCE, RELATIVE_TOLERANCE

# Two exact constants are equal when they agree in this many digits, up to the last few.
_DIGITS = 40
_AGREEING_DIGITS = 35

# The LaTeX parser reads "2 3" as 2 + 3 and drops the base of "101_2".
_MISREAD = re.compile(r"(?<![_^\d])\d+ \d|\d_")
# What the question asks to evaluate is no answer while it stands unevaluated.
_UNEVALUATED = re.compile(
    r"\\(?:i*int|oint|sum|prod|lim|gcd|lcm|det)(?![a-zA-Z])|\\begin\{vmatrix\}|\\frac\{d\}\{d[a-z]\}"
)
_TRIGONOMETRY = re.compile(r"(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])")
_DEGREES = re.compile(r" ?\^ ?(?:\{ ?\\circ ?\}|\\circ)")


def expressions_equal(answer: str, truth: str) -> bool:
    """Whether two normalized texts are one expression.

    Constants are decided by their value, to many digits where both are exact, because math-verify rounds to six
    decimals (1/2004! would equal 1/2006!). The rest is math-verify's verdict, with its own SIGALRM timeouts off: they
    raise outside the main thread.
    """
    from math_verify import verify

    if _MISREAD.search(answer) or answer.count("'") != truth.count("'"):
        return False
    if _UNEVALUATED.search(answer) and not _UNEVALUATED.search(truth):
        return False
    try:
        expected, given = _parse(truth), _parse(answer)
    except Exception:  # the parser's own, RecursionError, and whatever sympy meets in hostile text
        return False
    for decide in (_same_value, _same_equation):
        verdict = decide(given, expected)
        if verdict is not None:
            return verdict
    return verify(expected, given, allow_set_relation_comp=True, timeout_seconds=None)


def _parse(text: str) -> Any:
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig, latex2sympy
    from sympy import I

    if not _TRIGONOMETRY.search(text):
        text = _DEGREES.sub("", text)
    expression = latex2sympy(
        text,
        is_real=True,
        convert_degrees=True,
        normalization_config=None,
        conversion_config=ConversionConfig(lowercase_symbols=False),
    )
    units = [symbol for symbol in getattr(expression, "free_symbols", ()) if symbol.name == "i"]
    return expression.subs(dict.fromkeys(units, I)) if units else expression


def _same_value(a: Any, b: Any) -> bool | None:
    """Whether two constants agree, within the tolerance where one has a decimal; None where one is no finite number."""
    from sympy import Expr, Float

    if not all(isinstance(x, Expr) and not x.free_symbols for x in (a, b)):
        return None
    try:
        value_a, value_b = a.doit().evalf(_DIGITS), b.doit().evalf(_DIGITS)
        if not (value_a.is_number and value_b.is_number and value_a.is_finite and value_b.is_finite):
            return None
        difference, size = abs(value_a - value_b), max(abs(value_a), abs(value_b))
        if a.has(Float) or b.has(Float):
            return bool(difference < float(ABSOLUTE_TOLERANCE) and difference <= float(RELATIVE_TOLERANCE) * size)
        return bool(difference * 10**_AGREEING_DIGITS <= size)
    except (TypeError, ValueError, AttributeError):
        return None


def _same_equation(a: Any, b: Any) -> bool | None:
    """True where one equation is a multiple of the other; None where that does not decide."""
    from sympy import Eq, cancel

    if not (isinstance(a, Eq) and isinstance(b, Eq)):
        return None
    ratio = cancel((a.lhs - a.rhs) / (b.lhs - b.rhs))
    return True if ratio.is_number and ratio.is_finite and not ratio.is_zero else None
