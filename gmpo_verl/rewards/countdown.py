r"""CountDown: whether an expression reaches a target with the given numbers, each used exactly once.

The rule is that of TinyZero's checker, which the public CountDown data sets are made for: every given number once,
the four operations and parentheses, exact arithmetic. The expression is parsed here, never evaluated by Python.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

# A ground truth that reads so is a goal: "countdown: 26 from 3 7 5".
_GOAL = re.compile(r"countdown: (?P<target>-?[0-9]{1,9}) from (?P<numbers>[0-9]{1,9}(?: [0-9]{1,9}){0,15})")
_TOKEN = re.compile(r"\s*(?:(?P<number>0|[1-9][0-9]{0,8})(?![0-9])|(?P<symbol>[-+*/()]))")
# How models write the operations in TeX and in Unicode.
_SIGNS = {
    r"\times": "*",
    r"\cdot": "*",
    r"\div": "/",
    "\N{MULTIPLICATION SIGN}": "*",
    "\N{DOT OPERATOR}": "*",
    "\N{DIVISION SIGN}": "/",
    "\N{MINUS SIGN}": "-",
    r"\left(": "(",
    r"\right)": ")",
}
# Sixteen numbers of nine digits, their operations and parentheses need less.
MAX_CHARS = 500
MAX_DEPTH = 32


class NoExpressionError(ValueError):
    """The text is no expression of whole numbers, + - * / and parentheses, or it divides by zero."""


@dataclass(frozen=True)
class Goal:
    """The numbers of one problem and the target to reach with them."""

    numbers: tuple[int, ...]
    target: int

    @property
    def ground_truth(self) -> str:
        """The goal as a ground truth: ``countdown: 26 from 3 7 5``."""
        return f"countdown: {self.target} from {' '.join(map(str, self.numbers))}"

    def is_reached(self, answer: str) -> bool:
        """Whether an answer uses every number exactly once and has the target's value.

        ``= target`` after the expression is allowed. No text raises.
        """
        expression, equals, claimed = answer.partition("=")
        if equals and claimed.strip() != str(self.target):
            return False
        try:
            value, used = evaluate(expression)
        except NoExpressionError:
            return False
        return value == self.target and sorted(used) == sorted(self.numbers)


def goal_of(ground_truth: object) -> Goal | None:
    """The goal that a ground truth states, None for a ground truth of another kind; of several, the first counts."""
    if hasattr(ground_truth, "tolist"):
        ground_truth = ground_truth.tolist()
    if isinstance(ground_truth, Sequence) and not isinstance(ground_truth, str) and ground_truth:
        ground_truth = ground_truth[0]
    found = _GOAL.fullmatch(ground_truth) if isinstance(ground_truth, str) else None
    return Goal(tuple(map(int, found["numbers"].split())), int(found["target"])) if found else None


def evaluate(text: str) -> tuple[Fraction, list[int]]:
    """The exact value of an expression, and the numbers in it from left to right.

    Operations are binary: there is no sign before a number, and nothing is multiplied without ``*``.

    Raises:
        NoExpressionError: see there.
    """
    if len(text) > MAX_CHARS:
        raise NoExpressionError("too long")
    for written, sign in _SIGNS.items():
        text = text.replace(written, sign)
    return _Parser(_tokens(text)).parse()


def _tokens(text: str) -> list[str]:
    text, position, tokens = text.strip(), 0, []
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise NoExpressionError(f"no number or operation at {position}")
        tokens.append(found["number"] or found["symbol"])
        position = found.end()
    return tokens


class _Parser:
    """Recursive descent over sums of products of numbers and parentheses; the depth is bounded, and so the work."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._position, self._depth = tokens, 0, 0
        self._numbers: list[int] = []

    def parse(self) -> tuple[Fraction, list[int]]:
        value = self._sum()
        if self._position < len(self._tokens):
            raise NoExpressionError(f"{self._next} where an operation should be")
        return value, self._numbers

    @property
    def _next(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._next
        self._position += 1
        return token

    def _sum(self) -> Fraction:
        value = self._product()
        while self._next in ("+", "-"):
            sign = 1 if self._take() == "+" else -1
            value += sign * self._product()
        return value

    def _product(self) -> Fraction:
        value = self._atom()
        while self._next in ("*", "/"):
            if self._take() == "*":
                value *= self._atom()
            elif divisor := self._atom():
                value /= divisor
            else:
                raise NoExpressionError("a division by zero")
        return value

    def _atom(self) -> Fraction:
        token = self._take()
        if token.isdecimal():
            self._numbers.append(int(token))
            return Fraction(int(token))
        if token != "(" or self._depth == MAX_DEPTH:
            raise NoExpressionError(f"{token or 'nothing'} where a number should be")
        self._depth += 1
        value = self._sum()
        self._depth -= 1
        if self._take() != ")":
            raise NoExpressionError("a parenthesis that is not closed")
        return value
