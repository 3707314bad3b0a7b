"""Units of measurement: one name for each, and whether two of them contradict each other."""

import re
from functools import lru_cache

_NAMES = {
    **{"mm": "mm millimeter millimetre", "cm": "cm centimeter centimetre", "m": "m meter metre"},
    **{"km": "km kilometer kilometre", "in": "in inch inche", "ft": "ft foot feet", "yd": "yd yard", "mi": "mi mile"},
    **{"nm": "nm nanometer", "g": "g gram gm", "kg": "kg kilogram", "mg": "mg milligram", "lb": "lb pound"},
    **{"oz": "oz ounce", "ton": "ton tonne", "s": "s sec second", "min": "min minute", "h": "h hr hour"},
    **{"day": "day", "week": "week", "month": "month", "year": "yr year", "l": "l L liter litre"},
    **{"ml": "ml mL milliliter", "gal": "gal gallon", "dollar": "dollar usd", "cent": "cent"},
    **{"deg": "deg degree", "rad": "rad radian", "n": "N newton", "j": "J joule", "w": "W watt", "v": "V volt"},
    **{"a": "A ampere", "k": "K kelvin", "pa": "Pa pascal", "hz": "Hz hertz", "ev": "eV", "erg": "erg"},
    **{"mol": "mol mole", "c": "C celsius", "f": "F fahrenheit"},
}
_CANONICAL = {name: unit for unit, names in _NAMES.items() for name in names.split()}
_POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}

_MARKUP = re.compile(r"\\text|\\cdot|[{}]")
_FACTOR = re.compile(r"([a-zA-Z]+)\.?(?:\s*\^\s*(-?\d))?")


def is_known(word: str) -> bool:
    return _known(word) is not None


def units_contradict(a: str, b: str) -> bool:
    """Both sides name a known unit, and not the same one; an unknown word may mean the same as any."""
    if not a or not b or a == b:
        return False
    factors_a, factors_b = _factors(a), _factors(b)
    return factors_a is not None and factors_b is not None and factors_a != factors_b


@lru_cache(maxsize=1024)
def _factors(unit: str) -> tuple[tuple[str, int], ...] | None:
    """The units in a product or quotient with their exponents, sorted; None where a word is no known unit."""
    text = _MARKUP.sub(" ", unit).replace("mph", "mi/h").replace(" per ", "/")
    exponents: dict[str, int] = {}
    for position, side in enumerate(text.split("/")):
        power = 1
        for word, exponent in _FACTOR.findall(side):
            if word in _POWERS:
                power = _POWERS[word]
                continue
            known = _known(word) or _known(word.lower())
            if known is None:
                return None
            exponents[known] = exponents.get(known, 0) + (-1 if position else 1) * int(exponent or power)
            power = 1
    return tuple(sorted(exponents.items()))


def _known(word: str) -> str | None:
    singular = word[:-1] if len(word) > 2 and word.endswith("s") else word
    return _CANONICAL.get(word) or _CANONICAL.get(singular)
