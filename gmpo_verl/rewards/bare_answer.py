r"""The final answer of a response that was not asked for a box: after "the answer is", its last formula or number."""

import re

# The answer closes a response.
_MAX_CHARS = 4_000

_ANNOUNCED = re.compile(
    r"(?:(?:final\s+)?answers?\s*(?:\**\s*(?:is|are|:|=)\s*:?)|####)[ \t*]*\n?\s*(?P<answer>[^\n]+)", re.IGNORECASE
)
_FORMULA = re.compile(r"\$\$([^$]+)\$\$|\$([^$\n]+)\$|\\\(([^\n]+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.])-?\$?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?")
_SENTENCE_END = re.compile(r"[.;!?](?=\s|\**$)|\*\*|,\s(?=[a-z]{3})")


def bare_answer(text: str) -> str | None:
    """The final answer of a text without a box, None where it states none. One candidate, never a choice of several."""
    stated = _stated(text[-_MAX_CHARS:].strip())
    return (stated or "").strip() or None  # of spaces that are no ASCII too


def _stated(text: str) -> str | None:
    announced = list(_ANNOUNCED.finditer(text))
    if announced:
        return _first_statement(announced[-1]["answer"])
    lines = text.split("\n")
    if len(lines[-1].split()) <= 3:
        return lines[-1].strip(" .*") or None
    formulas = list(_FORMULA.finditer(lines[-1])) or list(_FORMULA.finditer(text))
    if formulas:
        return next(group for group in formulas[-1].groups() if group).strip(" .")
    numbers = _NUMBER.findall(text)
    return numbers[-1].rstrip(",") if numbers else None


def _first_statement(line: str) -> str | None:
    """The formula that opens the line, else its words up to the end of the sentence."""
    line = line.strip(" *:")
    if formula := _FORMULA.match(line):
        return next(group for group in formula.groups() if group).strip(" .")
    end = _SENTENCE_END.search(line)
    return (line[: end.start()] if end else line).strip(" .*") or None
