r"""The value and the unit of "5 \text{ cm}^2", "\$5", "60^\circ"."""

import re

from gmpo_verl.rewards.units import is_known

# A unit stands at the end of a short answer; looking no further bounds the work on hostile text.
_MAX_CHARS = 300

_CURRENCY = re.compile(r"(?P<sign>-?) ?(?:\\\$|\$|€|£|¥|USD|EUR|GBP|Rs\.?) ?(?=[-\d.\\])")
_CURRENCY_BEHIND = re.compile(r"(?<=[\d}]) ?(?:\\\$|€|£|¥)$")
_MODULUS = re.compile(r" ?\(? ?(?:\\[pb]?mod|mod)(?![a-zA-Z]) ?(?:\{[^{}]*\}|\w+) ?\)?$")
_DEGREE = r"\^ ?(?:\{ ?\\circ ?\}|\\circ)|\\degree(?![a-zA-Z])"
_TRAILING_DEGREE = re.compile(rf" ?(?:{_DEGREE})$")
_EXPONENT = r"(?:\^ ?(?:\{-?\d\}|-?\d))?"
_WORD = rf"(?:\\text\{{[^{{}}]*\}}|(?<![a-zA-Z\\])[a-zA-Z]+\.?){_EXPONENT}"
_UNIT = re.compile(
    rf"(?:(?P<degree>{_DEGREE})"
    r"|(?P<ordinal>\^(?:\{|\\text\{|\{\\text\{)?(?:st|nd|rd|th)\}*)"
    r"|(?P<quotient>\\frac\{\\text\{[^{}]*\}\}\{\\text\{[^{}]*\}\})"
    rf"|(?P<words>{_WORD}(?: ?(?:/|\\cdot|\*| ) ?{_WORD})*))$"
)
_ENDS_A_VALUE = re.compile(r"(?:[\d})\]!%]|\\pi|\\circ)$")
_TRIGONOMETRY = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])")
_LEADING_WORDS = re.compile(r"\\text\{([^{}\d]*)\} ?(?=[\d\\-])")
_SIMPLE_WORD = re.compile(r"[a-zA-Z]+")

# Words that are part of the answer: around a number they say something else than the number.
_LOGIC = frozenset({"and", "or", "not", "no", "if", "to", "maybe", "than", "between", "mod"})
_BOUNDS = frozenset({"least", "most", "about", "over", "under", "minus", "negative", "plus", "more", "less"})
_MULTIPLIERS = frozenset({"thousand", "million", "billion", "trillion"})
_NO_UNIT = _LOGIC | _BOUNDS | _MULTIPLIERS
_ATTACHED = frozenset({"st", "nd", "rd", "th", "mph"})


def split_unit(text: str) -> tuple[str, str]:
    """The value and the unit of a normalized answer, the unit empty where there is none."""
    if len(text) > _MAX_CHARS or text.isdigit():
        return text, ""
    if (leading := _LEADING_WORDS.match(text)) and _NO_UNIT.isdisjoint(leading[1].casefold().split()):
        text = text[leading.end() :]
    if currency := _CURRENCY.match(text):
        return currency["sign"] + text[currency.end() :], "dollar"
    if currency := _CURRENCY_BEHIND.search(text):
        return text[: currency.start()], "dollar"
    if modulus := _MODULUS.search(text):
        return text[: modulus.start()].rpartition(r"\equiv")[2].strip(), ""
    return _split_trailing_unit(text)


def _split_trailing_unit(text: str) -> tuple[str, str]:
    match = _UNIT.search(text)
    if match and match["degree"] and _TRIGONOMETRY.search(text):
        return text, ""
    while match:
        before = text[: match.start()]
        value = before.rstrip(" ~")
        is_text = match[0].startswith(r"\text") and value != "" and value[-1] not in "_^"
        if (is_text or _ENDS_A_VALUE.search(value)) and (not match["words"] or _is_unit(match["words"], before)):
            unit = "deg" if match["degree"] else match["words"] or match["quotient"] or ""
            return _TRAILING_DEGREE.sub("", value), unit
        match = _UNIT.search(text, match.start() + 1)
    return text, ""


def _is_unit(unit: str, before: str) -> bool:
    words = _SIMPLE_WORD.findall(unit.replace(r"\text", " ").replace(r"\cdot", " "))
    if not words or not _NO_UNIT.isdisjoint(word.casefold() for word in words):
        return False
    if unit.startswith(r"\text"):
        return True
    if not all(len(word) > 1 or is_known(word) for word in words):
        return False  # a product of variables
    return before.endswith(" ") or (len(words[0]) > 1 and (is_known(words[0]) or words[0] in _ATTACHED))
