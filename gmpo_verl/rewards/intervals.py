r"""Inequalities in one variable as intervals: "1 < x \le 2" and "(1,2]"."""

import re

_ORDER = re.compile(r" ?(<|>|\\le(?![a-zA-Z])|\\ge(?![a-zA-Z])) ?")
_VARIABLE = re.compile(r"[a-zA-Z](?:_\w)?")

_FLIPPED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
_OPEN = {"<": "(", r"\le": "["}
_CLOSE = {"<": ")", r"\le": "]"}


def as_interval(text: str) -> tuple[str, str]:
    r"""The variable and the interval of "1 < x \le 2" and "x > 3", ("", text) of anything else."""
    if not ("<" in text or ">" in text or r"\le" in text or r"\ge" in text):
        return "", text
    bounds = text.split(" and ")
    if len(bounds) == 2:
        return _intersection(*map(as_interval, bounds)) or ("", text)
    parts = [part.strip() for part in _ORDER.split(text)]
    if len(parts) == 3:
        return _one_bound(*parts) or ("", text)
    if len(parts) == 5:
        return _two_bounds(*parts) or ("", text)
    return "", text


def _one_bound(left: str, order: str, right: str) -> tuple[str, str] | None:
    if _VARIABLE.fullmatch(right) and not _VARIABLE.fullmatch(left):
        left, order, right = right, _FLIPPED[order], left
    if not _VARIABLE.fullmatch(left) or left in right:
        return None
    if order in _CLOSE:
        return left, rf"(-\infty,{right}{_CLOSE[order]}"
    return left, rf"{_OPEN[_FLIPPED[order]]}{right},\infty)"


def _two_bounds(low: str, first: str, variable: str, second: str, high: str) -> tuple[str, str] | None:
    if first not in _OPEN and second not in _OPEN:
        low, first, second, high = high, _FLIPPED[second], _FLIPPED[first], low
    if not _VARIABLE.fullmatch(variable) or first not in _OPEN or second not in _CLOSE:
        return None
    return variable, f"{_OPEN[first]}{low},{high}{_CLOSE[second]}"


def _intersection(a: tuple[str, str], b: tuple[str, str]) -> tuple[str, str] | None:
    """The interval between a lower and an upper bound of one variable."""
    low, high = (a, b) if a[1].endswith(r"\infty)") else (b, a)
    is_between = low[1].endswith(r",\infty)") and high[1].startswith(r"(-\infty,")
    if not a[0] or a[0] != b[0] or not is_between:
        return None
    return a[0], low[1].removesuffix(r"\infty)") + high[1].removeprefix(r"(-\infty,")
