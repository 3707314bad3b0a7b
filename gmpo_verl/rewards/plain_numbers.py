r"""Plain numbers as exact rationals: "1/2", "0.5", "\frac{1}{2}", "1\frac{1}{2}", "5 \times 10^{-3}", "50\%"."""

import re
from fractions import Fraction
from typing import NamedTuple

# 10 ** exponent is built exactly, so the exponent must be bounded; physics stays far below.
MAX_EXPONENT = 400
MAX_DIGITS = 400

# Where one side is a decimal, it may be a rounded form of the other: 0.333333 for 1/3. Six places as math-verify
# rounds, and a relative bound, without which every small number would equal zero.
_ABSOLUTE_TOLERANCE = Fraction(5, 10**7)
_RELATIVE_TOLERANCE = Fraction(1, 10**5)

_DECIMAL = rf"(?:\d{{1,{MAX_DIGITS}}}(?:\.\d{{0,{MAX_DIGITS}}})?|\.\d{{1,{MAX_DIGITS}}})"
_EXPONENT = r"(?:\{\s*[-+]?\d{1,3}\s*\}|[-+]?\d{1,3})"
_NUMBER = re.compile(
    rf"""(?P<sign>[-+]?)\s*(?:
        (?P<whole>\d{{1,20}})?\s*\\frac\s*\{{\s*(?P<top>-?{_DECIMAL})\s*\}}\s*\{{\s*(?P<bottom>-?{_DECIMAL})\s*\}}
      | (?P<left>{_DECIMAL})\s*/\s*(?P<right>{_DECIMAL})
      | (?P<mantissa>{_DECIMAL})
        (?:\s*(?:\\times|\\cdot|\*)\s*10\s*\^\s*(?P<power>{_EXPONENT})|[eE](?P<e>[-+]?\d{{1,3}}))?
      | 10\s*\^\s*(?P<only_power>{_EXPONENT})
    )\s*(?P<percent>\\?%)?""",
    re.VERBOSE | re.ASCII,
)


class Number(NamedTuple):
    value: Fraction  # as written: 50 for "50%"
    is_decimal: bool  # written with a decimal point or a power of ten, so it may be a rounded value
    is_percent: bool


def parse_number(text: str) -> Number | None:
    """The number that the whole normalized text spells, or None."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    exponent = int((match["power"] or match["e"] or match["only_power"] or "0").strip("{} "))
    if abs(exponent) > MAX_EXPONENT:
        return None
    is_decimal = "." in match[0] or match["power"] is not None or match["e"] is not None
    if match["top"] or match["left"]:
        denominator = _decimal(match["bottom"] or match["right"])
        if denominator == 0:
            return None
        value = int(match["whole"] or 0) + _decimal(match["top"] or match["left"]) / denominator
    else:
        value = _decimal(match["mantissa"] or "1") * Fraction(10) ** exponent
    if match["sign"] == "-":
        value = -value
    return Number(value, is_decimal, match["percent"] is not None)


def numbers_equal(a: Number, b: Number) -> bool:
    """Equal values; decimals within six places; a percentage equals its number and its hundredth (50%, 50, 0.5)."""
    if _close(a, b):
        return True
    if a.is_percent == b.is_percent:
        return False
    return _close(_hundredth(a), _hundredth(b))


def _close(a: Number, b: Number) -> bool:
    difference = abs(a.value - b.value)
    if difference == 0 or not (a.is_decimal or b.is_decimal):
        return difference == 0
    return difference < _ABSOLUTE_TOLERANCE and difference <= _RELATIVE_TOLERANCE * max(abs(a.value), abs(b.value))


def _hundredth(number: Number) -> Number:
    return number._replace(value=number.value / 100) if number.is_percent else number


def _decimal(text: str) -> Fraction:
    return Fraction(f"{text}0" if text.endswith(".") else text)
