"""Every way to combine numbers, one operation after the other, with whole positive results on the way."""

from collections.abc import Iterator
from typing import NamedTuple

Terms = tuple[tuple[int, str], ...]  # values with the expressions that gave them


class Solution(NamedTuple):
    """The operations one by one, and all of them as one expression."""

    steps: tuple[str, ...]  # "3*7=21", "21+5=26"
    expression: str  # "(3*7)+5"
    value: int


def solutions(numbers: tuple[int, ...]) -> Iterator[Solution]:
    """Uses every number exactly once. The larger operand stands first; of two ways that read alike one is given."""
    yield from dict.fromkeys(_combine(tuple((number, str(number)) for number in numbers), ()))


def _combine(terms: Terms, steps: tuple[str, ...]) -> Iterator[Solution]:
    if len(terms) == 1:
        ((value, expression),) = terms
        yield Solution(steps, expression, value)
        return
    for i in range(len(terms)):
        for j in range(i):
            rest = tuple(term for index, term in enumerate(terms) if index not in (i, j))
            (a, left), (b, right) = sorted((terms[i], terms[j]), reverse=True)
            for sign, value in _results(a, b):
                expression = f"{_operand(left)}{sign}{_operand(right)}"
                yield from _combine((*rest, (value, expression)), (*steps, f"{a}{sign}{b}={value}"))


def _results(a: int, b: int) -> Iterator[tuple[str, int]]:
    """Of two numbers with a >= b > 0: results that are whole and positive."""
    yield "+", a + b
    yield "*", a * b
    if a > b:
        yield "-", a - b
    if a % b == 0:
        yield "/", a // b


def _operand(expression: str) -> str:
    return expression if expression.isdecimal() else f"({expression})"
