r"""Relations: "x = 5" against "5", chains, approximations, memberships, and computations left undone."""

import re

from gmpo_verl.rewards.normalization import normalize

_NAME = r"(?:\\?[a-zA-Z]+|\\text\{[^{}]*\})(?:_(?:\{[^{}]*\}|\w))?'*(?:\^\{?\\circ\}?)?"
# "x", "x_1", "AB", "\angle ABC", "m\angle 1", "f(x)", "P(A \cap B)", "(x, y)", "|AB|", "\overline{AB}"
_LEFT_SIDE = re.compile(
    rf"(?:m ?)?(?:\\angle ?(?:{_NAME}|\d)|\\(?:overline|vec|hat|triangle)\{{[^{{}}]*\}}|\|{_NAME}\|"
    r"|[a-zA-Z]'?(?:_\w)?\([^()=]*\)|\\text\{[^{}]*\}(?:\([^()=]*\))?"
    r"|\([a-zA-Z](?:_\w)?(?: ?, ?[a-zA-Z](?:_\w)?)+\)|\\?[a-zA-Z]{1,8}(?:_(?:\{[^{}]*\}|\w))?'?)"
)
_EQUALS = re.compile(r"(?<![<>!=:])=(?!=)")
_MEMBER = re.compile(r"^[a-zA-Z](?:_\w)? ?\\in(?![a-zA-Z]) ?")
_SET_BUILDER = re.compile(
    r"^\\\{ ?[a-zA-Z] ?(?:\\in ?(?:\\mathbb\{R\}|\(-\\infty,\\infty\)) ?)?(?:\\mid|\||:) ?(.+)\\\}$"
)
_APPROXIMATELY = re.compile(r" ?(?:\\approx|\\simeq|\\sim|\\doteq)(?![a-zA-Z]) ?")
_SEPARATOR = re.compile(r"[,;]|\b(?:and|or)\b")
_LETTER = re.compile(r"[a-zA-Z]")
_POWER = re.compile(r"\^\{[^{}]*\}")
# Digits joined by an operator: a computation that was left to the grader, as in the question repeated.
_COMPUTATION = re.compile(r"[\d})!]\s*(?:[-+*/]|\\times|\\cdot|\\div)\s*[({]*\s*(?:\\frac)?\s*[-\d({]")
_NUMERIC_ONLY = re.compile(r"(?:[-+*/^(){}\[\]\d\s.!%]|\\(?:times|cdot|div|frac|%))*")
_VARIABLE = re.compile(r"[a-zA-Z](?:_\w)?")
# Of such an answer math-verify takes the last number; against one number it is a bound or a choice of guesses.
NO_SINGLE_VALUE = re.compile(r"[<>]|\\(?:le|ge|ne|mid|pm|mp)(?![a-zA-Z])|\\\\|(?<=.)\|\s*[-\d]")


def left_to_compute(answer: str) -> bool:
    """Numbers and operators alone, as in "12 + 34"."""
    return _NUMERIC_ONLY.fullmatch(answer) is not None and _COMPUTATION.search(_POWER.sub("", answer)) is not None


def without_approximation(text: str, wants_decimal: bool) -> str:
    r"""The exact side of "\frac{70}{9} \approx 7.78", or the last one where a decimal is asked for: never a choice."""
    if r"\approx" not in text and r"\sim" not in text and r"\doteq" not in text:
        return text
    sides = _APPROXIMATELY.split(text)
    is_only_a_name = len(sides) == 2 and _LEFT_SIDE.fullmatch(sides[0].strip()) is not None
    return sides[-1] if wants_decimal or is_only_a_name else sides[0]


def assignment(text: str) -> tuple[str, str]:
    r"""The name and the value of "x = 5" and "5 = x"; the name is empty where the text assigns nothing."""
    if "=" not in text:
        return "", text
    sides = _sides(text)
    is_list = len(sides) > 2 and _SEPARATOR.search(text)
    if len(sides) < 2 or not all(sides) or is_list:
        return "", text
    if _LEFT_SIDE.fullmatch(sides[0]):
        return sides[0].replace(" ", ""), sides[-1]
    if len(sides) == 2 and _VARIABLE.fullmatch(sides[1]) and not _LETTER.search(sides[0]):
        return sides[1], sides[0]
    return "", text


def last_side(text: str) -> str:
    """The result of "12+34=46" and "x+y = 5"; an equation in standard form ("2x-y=0") or "7=a+c" has none."""
    if "=" not in text or NO_SINGLE_VALUE.search(text):
        return text
    sides = _sides(text)
    return sides[-1] if _LETTER.search(sides[0]) and sides[-1] != "0" else computed_value(text)


def computed_value(text: str) -> str:
    """The last side of a chain that starts with numbers, as in "12+34=46"; other texts stay."""
    if "=" not in text:
        return text
    sides = _sides(text)
    if len(sides) < 2 or _LETTER.search(sides[0]) or _SEPARATOR.search(sides[0]):
        return text
    return sides[-1] if len(sides) > 2 or not _LETTER.search(sides[-1]) else text


def without_membership(text: str) -> str:
    r"""The set of "x \in S", the condition of "\{x \mid x > 5\}"."""
    if r"\in" in text and (member := _MEMBER.match(text)):
        return normalize(text[member.end() :])
    if text.startswith(r"\{") and (builder := _SET_BUILDER.match(text)):
        return builder[1].strip()
    return text


def _sides(text: str) -> list[str]:
    return [side.strip() for side in _EQUALS.split(text)]
