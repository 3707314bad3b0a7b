r"""Equal as mathematics: an exact and cheap comparison first, math-verify for what it cannot decide.

``cheap_verdict`` is safe on any text (bounded work, no evaluation) and runs in the caller. ``symbolic_verdict``
evaluates with sympy: untrusted text may make it run forever, so it belongs in a process that can be killed.
"""

import math
import re
from collections.abc import Iterable
from typing import Any

from gmpo_verl.rewards.answer import MAX_ANSWER_CHARS
from gmpo_verl.rewards.normalization import as_words, compact, normalize, without_degrees
from gmpo_verl.rewards.plain_numbers import numbers_equal, parse_number

_ASSIGNMENT = re.compile(r"^\s*[a-zA-Z]\w{0,2}(?:_\{?\w+\}?)?(?:\([a-z]\))?\s*=\s*(?![=<>])")
_UNIT_WORDS = re.compile(
    r"(?P<value>.*?[\d}])\s*"
    r"(?:\\(?:text|textrm|mathrm|mbox)\s*\{[^{}]*\}(?:\^\{?\d\}?)?|\s(?!and\b|or\b)[a-zA-Z]{2,}[a-zA-Z. ]*)",
    re.DOTALL,
)
_LEADING_WORDS = re.compile(r"^\\text\s*\{[^{}\d]*\}\s*(?=[\d\\-])")
_WORDS = re.compile(r"[a-z][a-z ,.'-]{2,}")
_CHOICE = re.compile(r"^(?:\\(?:text|textbf|mathrm|mathbf)\s*\{)?\s*\(?\s*([A-Z])\s*\)?\s*\}?(?:[.:)]?)$")
# Digits joined by an operator: a computation that was left to the grader, as in the question repeated.
_COMPUTATION = re.compile(r"[\d})!]\s*(?:[-+*/]|\\times|\\cdot|\\div)\s*[({]*\s*(?:\\frac)?\s*[-\d({]")
_NUMERIC_ONLY = re.compile(r"(?:[-+*/^(){}\[\]\d\s.!%]|\\(?:times|cdot|div|frac|%))*")
_RELATION = re.compile(r"[<>]|\\(?:le|ge|ne)(?![a-zA-Z])")
# Where one of these stands, commas do not simply separate the parts of a tuple or list.
_NOT_A_PLAIN_LIST = re.compile(r"\\(?:cup|cap|in|begin|text|pm|mp)(?![a-zA-Z])|[=<>]|\band\b|\bor\b")
# Of such an answer math-verify takes the last number; against one number it is a bound or a choice of guesses.
_NO_SINGLE_VALUE = re.compile(r"[<>]|\\(?:le|ge|ne|mid|pm|mp)(?![a-zA-Z])|\\\\|(?<=.)\|\s*[-\d]")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")


def acceptable_answers(ground_truth: Any) -> tuple[str, ...]:
    """A ground truth (a string, a number, or a collection of them) as the strings of which any one is right.

    Empty for None, NaN, blank strings and empty collections: nothing can be graded against those.
    """
    if ground_truth is None:
        return ()
    if isinstance(ground_truth, bytes):
        ground_truth = ground_truth.decode(errors="replace")
    if isinstance(ground_truth, str):
        return (ground_truth.strip(),) if ground_truth.strip() else ()
    if hasattr(ground_truth, "tolist"):
        return acceptable_answers(ground_truth.tolist())
    if isinstance(ground_truth, float):
        if math.isnan(ground_truth):
            return ()
        return (str(int(ground_truth)) if ground_truth.is_integer() else repr(ground_truth),)
    if isinstance(ground_truth, Iterable) and not isinstance(ground_truth, dict):
        return tuple(dict.fromkeys(text for item in ground_truth for text in acceptable_answers(item)))
    return (str(ground_truth),)


def is_equivalent(answer: str, ground_truth: Any) -> bool:
    """Whether the answer is right. Runs sympy in this process: for trusted text, or inside a grading process."""
    verdict = cheap_verdict(answer, acceptable_answers(ground_truth))
    return symbolic_verdict(answer, acceptable_answers(ground_truth)) if verdict is None else verdict


def cheap_verdict(answer: str, accepted: tuple[str, ...]) -> bool | None:
    """True or False where the text alone decides, None where mathematics has to."""
    if not answer.strip() or len(answer) > MAX_ANSWER_CHARS:
        return False
    verdicts = [_cheap_verdict(normalize(answer), normalize(text)) for text in accepted]
    if True in verdicts:
        return True
    return None if None in verdicts else False


def symbolic_verdict(answer: str, accepted: tuple[str, ...]) -> bool:
    """math-verify's verdict, its own SIGALRM timeouts off: they raise outside the main thread."""
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

    targets = [LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig()]

    def parsed(text: str) -> list[Any]:
        return parse(rf"\boxed{{{text}}}", targets, parsing_timeout=None)

    answer = normalize(answer)
    prediction = parsed(answer)
    for text in accepted:
        text = normalize(text)
        if _cheap_verdict(answer, text) is None and verify(
            parsed(text), prediction, allow_set_relation_comp=True, timeout_seconds=None
        ):
            return True
    return False


def _cheap_verdict(answer: str, truth: str) -> bool | None:
    """Both normalized."""
    if not answer:
        return False
    if answer == truth or compact(answer) == compact(truth):
        return True
    answer, truth = _last_side(_bare_value(answer, truth), truth), _bare_value(truth, answer)
    if compact(answer) == compact(truth):
        return True
    truth_choice, answer_choice = _CHOICE.match(truth), _CHOICE.match(answer)
    if truth_choice and answer_choice:
        return truth_choice[1] == answer_choice[1]
    if len(truth) == len(answer) == 1 and truth.isalpha() and answer.isalpha():
        return False  # n is not N; math-verify does not mind
    truth_number, answer_number = parse_number(truth), parse_number(answer)
    if truth_number and answer_number:
        return numbers_equal(truth_number, answer_number)
    if truth_number and truth_number.is_decimal and _DECIMAL_COMMA.fullmatch(answer):
        with_point = parse_number(answer.replace(",", "."))
        return with_point is not None and numbers_equal(truth_number, with_point)
    if truth_number and _NO_SINGLE_VALUE.search(answer):
        return False
    if truth_number and _NUMERIC_ONLY.fullmatch(answer) and _COMPUTATION.search(answer):
        return False
    truth_words, answer_words = as_words(truth), as_words(answer)
    if _WORDS.fullmatch(truth_words):
        if truth_words == answer_words:
            return True
        if " " in truth_words or r"\text" in truth:
            return False
    return _structure_verdict(answer, truth)


def _bare_value(text: str, other: str) -> str:
    """Without what only one side has: "x =" before a value, units and words behind it, a degree sign."""
    if not _ASSIGNMENT.match(other):
        text = _ASSIGNMENT.sub("", text)
    text = _LEADING_WORDS.sub("", without_degrees(text))
    unit = _UNIT_WORDS.fullmatch(text)
    return (unit["value"] if unit and not _UNIT_WORDS.fullmatch(other) else text).strip()


def _last_side(answer: str, truth: str) -> str:
    """The result of "12+34=46" or "AB = 5", where the truth is no relation."""
    if "=" in truth or _RELATION.search(answer) or len(_split(answer)[1]) > 1:
        return answer
    return answer.rpartition("=")[2].strip()


def _structure_verdict(answer: str, truth: str) -> bool | None:
    """Tuples, intervals, sets and lists: brackets must agree, then the parts decide where they are cheap."""
    answer_open, answer_parts, answer_close = _split(answer)
    truth_open, truth_parts, truth_close = _split(truth)
    if len(truth_parts) == 1 and len(answer_parts) == 1:
        return None
    if _NOT_A_PLAIN_LIST.search(answer) or _NOT_A_PLAIN_LIST.search(truth):
        return None
    if len(truth_parts) != len(answer_parts):
        return False
    is_list = truth_open in ("", r"\{")
    if not is_list and (answer_open, answer_close) != (truth_open, truth_close):
        return False
    if is_list and answer_open not in ("", r"\{", "("):
        return False
    if is_list:
        return _same_elements(answer_parts, truth_parts)
    verdicts = [_cheap_verdict(a, t) for a, t in zip(answer_parts, truth_parts, strict=True)]
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _same_elements(answer_parts: list[str], truth_parts: list[str]) -> bool | None:
    """Whether the parts agree in some order: greedy, because equality that text decides is transitive."""
    remaining, unsure = list(answer_parts), False
    for truth in truth_parts:
        verdicts = [_cheap_verdict(part, truth) for part in remaining]
        if True in verdicts:
            remaining.pop(verdicts.index(True))
        elif None in verdicts:
            unsure = True
        else:
            return False
    return None if unsure else True


def _split(text: str) -> tuple[str, list[str], str]:
    """The outer brackets, if one pair encloses the whole text, and the parts between top-level commas."""
    opening = closing = ""
    for left, right in ((r"\{", r"\}"), ("(", ")"), ("[", "]"), ("(", "]"), ("[", ")")):
        if text.startswith(left) and text.endswith(right):
            parts = _top_level_parts(text[len(left) : -len(right)].strip())
            if parts is not None:
                opening, closing = left, right
                return opening, parts, closing
    return opening, _top_level_parts(text) or [text], closing


def _top_level_parts(text: str) -> list[str] | None:
    """Cut at commas and semicolons outside all brackets; None where brackets do not balance."""
    parts, depth, start = [], 0, 0
    for index, char in enumerate(text):
        if char in "({[":
            depth += 1
        elif char in ")}]":
            depth -= 1
            if depth < 0:
                return None
        elif char in ",;" and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    parts.append(text[start:].strip())
    return parts if depth == 0 and all(parts) else None
