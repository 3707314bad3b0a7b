r"""Different by value: most wrong answers that text leaves open, as 2\sqrt{3} for 12\pi, are told apart by one number.

Every letter stands for a fixed number, so two expressions with different values there are different expressions. Those
that agree are not thereby equal: sympy has to say. The grammar reads text as the LaTeX parser of math-verify does
(1/2x is 1/(2x), e is Euler's number), and what only that parser can interpret has no value:

    sum     = product {("+" | "-") product}
    product = signed {("*" | "/") signed}
    signed  = ("+" | "-") signed | factor {factor}
    factor  = atom ["^" exponent] | integer "!"
    atom    = number | letter | "\pi" | "(" sum ")" | fraction | root | binomial | function
"""

import math
import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import TypeGuard
from zlib import crc32

# Rational wherever the LaTeX parser sees a rational number too, because it reads "2(3)" as the mixed number 2 + 3.
Value = int | Fraction | float | complex

# A difference far above the tolerance of decimals, and above rounding errors where no step loses more than _LOSS.
_CLEARLY = 1e-5
_LOSS = 1e-3
_MAX_ARGUMENT = 1e6

_MAX_CHARS = 200
_MAX_DEPTH = 12
_MAX_FACTORIAL = 20
_MAX_BINOMIAL = 60
_MAX_EXPONENT = 1000

# The parser may take d for a differential, E for e, I for i and T for the transpose.
_VARIABLE = re.compile(
    r"(?:[a-cf-hj-zA-DF-HJ-SU-Z]|\\(?:alpha|beta|delta|theta|lambda|mu|rho|sigma|tau|phi|omega)(?![a-zA-Z]))"
    r"(?:_(?:[a-zA-Z0-9](?!\d)|\{[a-zA-Z0-9]\}))?"
)
_TOKEN = re.compile(rf" *(\d+(?:\.\d+)?|{_VARIABLE.pattern}|\\[a-zA-Z]+|[^ ])", re.ASCII)
# A lone "\tau" equals the letters "tau" to math-verify.
_LONE_COMMAND = re.compile(r"[(){} ]*\\[a-zA-Z]+[(){} ]*")
_ENTRIES = r"(?:(?!\\begin|\\end).)*"
# A matrix of several entries, a union with a half-line.
_MORE_THAN_A_NUMBER = re.compile(
    rf"\\begin\{{([pb]matrix)\}}{_ENTRIES}(?:&|\\\\){_ENTRIES}\\end\{{\1\}}"
    r"|\(-\\infty, ?-?\d[^()\[\]\\]*[)\]](?: ?\\cup ?[(\[][^()\[\]]*[)\]])+"
)
_END = ""
_TIMES = ("*", r"\cdot", r"\times")
# No \log: sympy takes e^{\log_2 x} for x.
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    r"\sin": math.sin,
    r"\cos": math.cos,
    r"\tan": math.tan,
    r"\cot": lambda x: 1 / math.tan(x),
    r"\ln": math.log,
}
_CONSTANTS: dict[str, Value] = {"e": math.e, "i": 1j, r"\pi": math.pi}
_STARTS_A_FACTOR = frozenset({"(", r"\frac", r"\sqrt", r"\binom", *_CONSTANTS, *_FUNCTIONS})
_ENDS_AN_ARGUMENT = frozenset({_END, "+", "-", ")", "]", "}", *_FUNCTIONS})


def values_differ(a: str, b: str) -> bool:
    """Whether two normalized texts have different values, or one has a value and the other cannot have any.

    Never for two that sympy finds equal.
    """
    value_a, value_b = numeric_value(a), numeric_value(b)
    if value_a is None or value_b is None:
        return (value_a is None) != (value_b is None) and (_is_no_number(a) or _is_no_number(b))
    return abs(value_a - value_b) > _CLEARLY * max(1.0, abs(value_a), abs(value_b))


@lru_cache(maxsize=4096)
def numeric_value(text: str) -> complex | None:
    """The value of an expression at the fixed numbers of its letters; None outside the grammar or where it is unsafe.

    Unsafe are poles, branch cuts (roots of negative numbers), overflow and cancellation.
    """
    if len(text) > _MAX_CHARS or (_LONE_COMMAND.fullmatch(text) and r"\pi" not in text):
        return None
    try:
        value = complex(_Parser(_TOKEN.findall(text)).whole())
    except (ValueError, ArithmeticError):
        return None
    return value if math.isfinite(abs(value)) else None


def _is_no_number(text: str) -> bool:
    return len(text) <= _MAX_CHARS and _MORE_THAN_A_NUMBER.fullmatch(text) is not None


class _Parser:
    """Recursive descent; a method for a rule of the grammar. Raises ValueError or ArithmeticError for no value."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = [*tokens, _END]
        self._at = 0
        self._depth = 0

    def whole(self) -> Value:
        value = self._sum()
        self._expect(_END)
        return value

    def _sum(self) -> Value:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError("too deep")
        total = self._product()
        while self._next_is("+", "-"):
            term = -self._product() if self._take() == "-" else self._product()
            total = _sum_of(total, term)
        self._depth -= 1
        return total

    def _product(self) -> Value:
        product = self._signed()
        while self._next_is("/", *_TIMES):
            product = _quotient(product, self._signed()) if self._take() == "/" else product * self._signed()
        return product

    def _signed(self) -> Value:
        sign = 1
        while self._next_is("+", "-"):
            sign = -sign if self._take() == "-" else sign
        factors = [self._factor()]
        while self._tokens[self._at] in _STARTS_A_FACTOR or _VARIABLE.fullmatch(self._tokens[self._at]):
            factors.append(self._factor())
        product = factors.pop()
        while factors:
            factor = factors.pop()
            if _is_rational(factor) and _is_rational(product):
                raise ValueError("may be a mixed number")
            product = factor * product
        return sign * product

    def _factor(self) -> Value:
        value = self._atom()
        if self._skip("!"):
            value = float(math.factorial(_count(value, _MAX_FACTORIAL)))
        elif self._skip("^"):
            value = _power(value, self._script())
        if self._next_is("!", "^", "_"):
            raise ValueError("of a part or of the whole")
        return value

    def _atom(self) -> Value:
        token = self._take()
        if token in _FUNCTIONS:
            return self._function(token)
        if token == "(":
            return self._closed_by(")")
        if token == r"\frac":
            return _quotient(self._group(), self._group())
        if token == r"\binom":
            return math.comb(_count(self._group(), _MAX_BINOMIAL), _count(self._group(), _MAX_BINOMIAL))
        if token == r"\sqrt":
            degree = self._closed_by("]") if self._skip("[") else 2
            return _power(self._group(), _quotient(1, degree))
        return _spelled(token)

    def _function(self, name: str) -> Value:
        """Of one atom, before a sign, a bracket or another function: "\\sin 2x" and "\\sin x / 2" are left alone."""
        exponent = _count(self._script(), _MAX_EXPONENT) if self._skip("^") else 1
        argument = self._group() if self._next_is("{") else self._atom()
        if self._tokens[self._at] not in _ENDS_AN_ARGUMENT:
            raise ValueError("where the argument ends is unclear")
        return _power(_applied(name, argument), exponent)

    def _script(self) -> Value:
        return self._group() if self._next_is("{") else _spelled(self._take())

    def _group(self) -> Value:
        self._expect("{")
        return self._closed_by("}")

    def _closed_by(self, bracket: str) -> Value:
        value = self._sum()
        self._expect(bracket)
        return value

    def _next_is(self, *tokens: str) -> bool:
        return self._tokens[self._at] in tokens

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _skip(self, token: str) -> bool:
        is_next = self._tokens[self._at] == token
        self._at += is_next
        return is_next

    def _expect(self, token: str) -> None:
        if not self._skip(token):
            raise ValueError(f"no {token!r} here")


def variable_value(name: str) -> float:
    """Between 0.5 and 1.5, where roots and logarithms are real and powers small; "x_1" and "x_{1}" are one name."""
    return 0.5 + crc32(name.replace("{", "").replace("}", "").encode()) / 2**32


def _spelled(token: str) -> Value:
    if token.isdigit():
        return int(token)
    if _VARIABLE.fullmatch(token):
        return variable_value(token)
    return _CONSTANTS[token] if token in _CONSTANTS else float(token)


def _is_rational(value: Value) -> TypeGuard[int | Fraction]:
    return isinstance(value, (int, Fraction))


def _count(value: Value, largest: int) -> int:
    if not isinstance(value, int) or not 0 < value <= largest:
        raise ValueError("no small natural number")
    return value


def _sum_of(a: Value, b: Value) -> Value:
    total = a + b
    if not _is_rational(total) and abs(complex(total)) < _LOSS * abs(complex(a)):
        raise ValueError("cancellation")
    return total


def _quotient(a: Value, b: Value) -> Value:
    if _is_rational(a) and _is_rational(b):
        return Fraction(a, b)
    return a / b


def _power(base: Value, exponent: Value) -> Value:
    if not isinstance(base, complex) and base > 0:
        return float(base) ** (exponent if isinstance(exponent, complex) else float(exponent))
    # Elsewhere a root has branches, and a float exponent beyond 2**53 has no parity.
    if not isinstance(exponent, int) or abs(exponent) > _MAX_EXPONENT:
        raise ValueError("no integer power of what is not positive")
    return (base if isinstance(base, complex) else float(base)) ** exponent


def _applied(name: str, argument: Value) -> float:
    if isinstance(argument, complex) or abs(float(argument)) > _MAX_ARGUMENT:
        raise ValueError("no argument for a real function")
    value = _FUNCTIONS[name](float(argument))
    if not _LOSS < abs(value) < 1 / _LOSS:
        raise ValueError("close to a zero or a pole")
    return value
