r"""Plain numbers as exact rationals: "1/2", "0.5", "\frac{1}{2}", "1\frac{1}{2}", "5 \times 10^{-3}", "50\%"."""

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

# 10 ** exponent is built exactly, so the exponent must be bounded; physics stays far below.
MAX_EXPONENT = 400
MAX_DIGITS = 400

# Where one side is a decimal, it may be a shortened form of the other. The two must agree to six decimals, rounded or
# cut off (0.666667 and 0.666666 for 2/3), as math-verify rounds; fewer are another number than the exact one that was
# asked for (3.14 is not pi). The relative bound is there because every small number would equal zero without it.
ABSOLUTE_TOLERANCE = Fraction(1, 10**6)
RELATIVE_TOLERANCE = Fraction(1, 10**5)

_MULTIPLIERS = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}

_DECIMAL = rf"(?:\d{{1,{MAX_DIGITS}}}(?:\.\d{{0,{MAX_DIGITS}}})?|\.\d{{1,{MAX_DIGITS}}})"
_EXPONENT = r"(?:\{\s*[-+]?\d{1,3}\s*\}|[-+]?\d{1,3})"
_NUMBER = re.compile(
    rf"""(?P<sign>[-+]?)\s*(?:
        (?P<whole>\d{{1,20}})?\s*\\frac\{{\s*(?P<top>-?{_DECIMAL})\s*\}}\{{\s*(?P<bottom>-?{_DECIMAL})\s*\}}
      | (?:(?P<plain_whole>\d{{1,20}})\s)?\s*(?P<left>{_DECIMAL})\s*/\s*(?P<right>{_DECIMAL})
      | (?P<start>\d{{0,20}}\.\d{{0,20}})\\(?:overline|bar)\{{(?P<period>\d{{1,20}})\}}
      | (?P<mantissa>{_DECIMAL})
        (?:\s*(?:\\times|\\cdot|[*x])\s*10\s*\^\s*(?P<power>{_EXPONENT})|[eE](?P<e>[-+]?\d{{1,3}}))?
      | 10\s*\^\s*(?P<only_power>{_EXPONENT})
    )(?:\s*(?:\\text\{{\s*)?(?P<multiplier>thousand|million|billion|trillion)s?\s*\}}?)?\s*(?P<percent>\\?%)?""",
    re.VERBOSE | re.ASCII,
)
_DECIMAL_COMMA = re.compile(r"([-+]?)(\d{1,3}(?:\.\d{3})+|\d+),(\d+)", re.ASCII)


class Number(NamedTuple):
    value: Fraction  # as written: 50 for "50%"
    is_decimal: bool  # written with a decimal point or a power of ten, so it may be a rounded value
    is_percent: bool


@lru_cache(maxsize=4096)
def parse_number(text: str) -> Number | None:
    """The number that the whole normalized text spells, or None."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    exponent = int((match["power"] or match["e"] or match["only_power"] or "0").strip("{} "))
    if abs(exponent) > MAX_EXPONENT:
        return None
    exponent += _MULTIPLIERS.get(match["multiplier"], 0)
    value = _unsigned_value(match)
    if value is None:
        return None
    value *= Fraction(10) ** exponent
    is_exact = match["period"] is not None or not ("." in match[0] or match["power"] or match["e"])
    return Number(-value if match["sign"] == "-" else value, not is_exact, match["percent"] is not None)


def parse_decimal_comma(text: str) -> Number | None:
    """The number that "3,5" or "1.000,99" spells where the comma is the decimal sign, or None."""
    match = _DECIMAL_COMMA.fullmatch(text)
    return parse_number(f"{match[1]}{match[2].replace('.', '')}.{match[3]}") if match else None


def numbers_equal(a: Number, b: Number) -> bool:
    """Equal values; decimals within six places; a percentage equals its number and its hundredth (50%, 50, 0.5)."""
    if _close(a, b):
        return True
    if a.is_percent == b.is_percent:
        return False
    return _close(_hundredth(a), _hundredth(b))


def _unsigned_value(match: re.Match[str]) -> Fraction | None:
    if match["period"]:
        return _repeating(match["start"], match["period"])
    if match["top"] or match["left"]:
        denominator = _decimal(match["bottom"] or match["right"])
        if denominator == 0:
            return None
        whole = int(match["whole"] or match["plain_whole"] or 0)
        return whole + _decimal(match["top"] or match["left"]) / denominator
    return _decimal(match["mantissa"] or "1")


def _repeating(start: str, period: str) -> Fraction:
    """0.1666... of "0.1" and "6"."""
    decimals = len(start.partition(".")[2])
    tail = Fraction(int(period), 10 ** len(period) - 1) / 10**decimals
    return _decimal(f"0{start}") + tail


def _close(a: Number, b: Number) -> bool:
    difference = abs(a.value - b.value)
    if difference == 0 or not (a.is_decimal or b.is_decimal):
        return difference == 0
    return difference < ABSOLUTE_TOLERANCE and difference <= RELATIVE_TOLERANCE * max(abs(a.value), abs(b.value))


def _hundredth(number: Number) -> Number:
    return number._replace(value=number.value / 100) if number.is_percent else number


def _decimal(text: str) -> Fraction:
    return Fraction(f"{text}0" if text.endswith(".") else text)
