r"""Tuples, intervals, sets, lists and matrices: what holds an answer together, and whether two of them agree."""

import re
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from gmpo_verl.rewards.intervals import as_interval

Kind = Literal["single", "list", "set", "tuple", "interval", "union", "matrix"]
# The verdict on two parts: None where text alone does not decide.
Compare = Callable[[str, str], bool | None]

# Outside the braces of a text, as in "5 \text{ or more}".
_CONNECTOR = re.compile(r" ?[,;]? ?\b(?:and|or)\b(?![^{}]*\}) ?[,;]? ?")
_UNION = re.compile(r" ?\\cup(?![a-zA-Z]) ?")
_MATRIX = re.compile(
    r"(?P<outer>[(\[]?)(?:\\begin\{(?P<kind>[pbB]?matrix|smallmatrix|array)\}(?:\{[clr|]*\})?)(?P<body>.*)"
    r"\\end\{(?P=kind)\}[)\]]?",
    re.DOTALL,
)
_ROW_END = re.compile(r"\\\\(?: ?\[[^\]]*\])?")
_PLUS_MINUS = re.compile(r"\\pm(?![a-zA-Z])")
# Every part is compared with every other; longer lists (there are none in MATH) agree by their text or not at all.
_MAX_UNORDERED = 40

_BRACKETS = ((r"\{", r"\}"), ("(", ")"), ("[", "]"), ("(", "]"), ("[", ")"), (r"\langle", r"\rangle"))


class Structure(NamedTuple):
    kind: Kind
    parts: list[str]
    brackets: str = ""  # of an interval
    columns: int = 0  # of a matrix


def outside_brackets(text: str, chars: str) -> list[int] | None:
    """Where one of `chars` stands outside all brackets; None where these do not balance."""
    found, depth = [], 0
    for position, char in enumerate(text):
        if char in "({[":
            depth += 1
        elif char in ")}]":
            depth -= 1
            if depth < 0:
                return None
        elif depth == 0 and char in chars:
            found.append(position)
    return found if depth == 0 else None


def parse_structure(text: str) -> Structure:
    r"""What the normalized text holds: "(1, 2)" is a tuple, "1 \pm 2" the list of its two values."""
    if r"\begin" in text and (matrix := _parse_matrix(text)):
        return matrix
    is_conjunction = "and" in text
    text = _CONNECTOR.sub(", ", text)
    if r"\cup" in text:
        parts = _UNION.split(text)
        if all(_top_level_parts(part) for part in parts):
            return Structure("union", parts)
    for left, right in _BRACKETS:
        if text.startswith(left) and text.endswith(right) and len(text) >= len(left) + len(right):
            enclosed = _top_level_parts(text[len(left) : -len(right)])
            if enclosed is not None:
                return _bracketed(left, enclosed, right)
    parts = _with_both_signs(_top_level_parts(text) or [text])
    intervals = [as_interval(part) for part in parts]
    if len(parts) > 1 and not is_conjunction and all(variable for variable, _ in intervals):
        return Structure("union", [interval for _, interval in intervals])
    return Structure("list" if len(parts) > 1 else "single", parts)


def structures_agree(answer: Structure, truth: Structure, compare: Compare) -> bool | None:
    """Whether the brackets agree and the parts do: in order, or in any order for lists, sets and unions."""
    if answer.kind == "matrix" or truth.kind == "matrix":
        return _matrices_agree(answer, truth, compare)
    if "union" in (answer.kind, truth.kind) and (answer.kind, len(answer.parts)) != (truth.kind, len(truth.parts)):
        return None  # two unions of different intervals may be one set
    if len(answer.parts) != len(truth.parts):
        return False
    if truth.kind in ("list", "set", "union"):
        allowed = {"list": ("list", "set", "tuple"), "set": ("list", "set", "single"), "union": ("union",)}[truth.kind]
        return _same_elements(answer.parts, truth.parts, compare) if answer.kind in allowed else False
    if answer.kind == "list" and truth.kind == "tuple" and all("=" in part for part in answer.parts):
        return _all(compare(a.partition("=")[2].strip(), t) for a, t in zip(answer.parts, truth.parts, strict=True))
    if answer.kind == "set" and truth.kind == "single":
        return compare(answer.parts[0], truth.parts[0])
    if (answer.kind, answer.brackets) != (truth.kind, truth.brackets):
        return False
    return _all(compare(a, t) for a, t in zip(answer.parts, truth.parts, strict=True))


def _bracketed(left: str, parts: list[str], right: str) -> Structure:
    if left == r"\{":
        return Structure("set", _with_both_signs(parts))
    if len(parts) == 1:
        is_wrapped = left == "("
        return Structure("single", parts if is_wrapped else [f"{left}{parts[0]}{right}"])
    if (left, right) in (("(", ")"), (r"\langle", r"\rangle")):
        return Structure("tuple", parts)
    return Structure("interval", parts, brackets=left + right)


def _parse_matrix(text: str) -> Structure | None:
    match = _MATRIX.fullmatch(text)
    if match is None or (match["kind"] == "array" and not match["outer"]) or r"\begin" in match["body"]:
        return None
    rows = [row.split("&") for row in _ROW_END.split(match["body"]) if row.strip()]
    if not rows or len({len(row) for row in rows}) != 1:
        return None
    return Structure("matrix", [cell.strip() for row in rows for cell in row], columns=len(rows[0]))


def _matrices_agree(answer: Structure, truth: Structure, compare: Compare) -> bool | None:
    # A column vector is also written as a tuple; a row is not.
    shapes = {structure.columns if structure.kind == "matrix" else 1 for structure in (answer, truth)}
    kinds_fit = all(structure.kind in ("matrix", "tuple") for structure in (answer, truth))
    if not kinds_fit:
        return None if "single" in (answer.kind, truth.kind) else False
    if len(shapes) != 1 or len(answer.parts) != len(truth.parts):
        return False
    return _all(compare(a, t) for a, t in zip(answer.parts, truth.parts, strict=True))


def _all(verdicts: Iterable[bool | None]) -> bool | None:
    unsure = False
    for verdict in verdicts:
        if verdict is False:
            return False
        unsure = unsure or verdict is None
    return None if unsure else True


def _same_elements(answer_parts: list[str], truth_parts: list[str], compare: Compare) -> bool | None:
    """Whether the parts agree in some order: greedy, because equality is transitive."""
    if len(truth_parts) > _MAX_UNORDERED:
        return sorted(answer_parts) == sorted(truth_parts)
    remaining, unsure = list(answer_parts), False
    for truth in truth_parts:
        undecided = None
        for index, part in enumerate(remaining):
            verdict = compare(part, truth)
            if verdict:
                remaining.pop(index)
                break
            if verdict is None:
                undecided = index
        else:
            if undecided is None:
                return False
            unsure = True
    return None if unsure else True


def _with_both_signs(parts: list[str]) -> list[str]:
    r"""Every part with one "\pm" becomes two."""
    if not any(r"\pm" in part for part in parts):
        return parts
    signed = []
    for part in parts:
        if len(_PLUS_MINUS.findall(part)) == 1 and r"\mp" not in part:
            signed += [_PLUS_MINUS.sub(sign, part).strip().removeprefix("+").strip() for sign in "+-"]
        else:
            signed.append(part)
    return signed


def _top_level_parts(text: str) -> list[str] | None:
    """Cut at commas and semicolons outside all brackets; None where brackets do not balance or a part is empty."""
    cuts = outside_brackets(text, ",;")
    if cuts is None:
        return None
    parts = [text[start:end].strip() for start, end in zip([0, *(cut + 1 for cut in cuts)], [*cuts, None], strict=True)]
    return parts if all(parts) else None
