r"""Equal as mathematics: an exact and cheap comparison first, math-verify for what it cannot decide.

``cheap_verdict`` is safe on any text (bounded work, no evaluation) and runs in the caller. ``symbolic_verdict``
evaluates with sympy: untrusted text may make it run forever, so it belongs in a process that can be killed.

Both walk the same way (``_compare``): spelling, plain numbers, choices, words; then names, relations and units taken
off where one side has them; structures part by part. They differ in the leaf alone: there math-verify decides; here
two different values do, and everything else stays open.
"""

import math
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from gmpo_verl.rewards.alignment import align
from gmpo_verl.rewards.answer import MAX_ANSWER_CHARS
from gmpo_verl.rewards.normalization import compact, normalize
from gmpo_verl.rewards.numeric_value import values_differ
from gmpo_verl.rewards.plain_numbers import Number, numbers_equal, parse_decimal_comma, parse_number
from gmpo_verl.rewards.relations import NO_SINGLE_VALUE, left_to_compute
from gmpo_verl.rewards.reordered_sum import is_reordered
from gmpo_verl.rewards.structure import parse_structure, structures_agree
from gmpo_verl.rewards.words import choice_verdict, words_verdict

# The verdict on two texts that no rule here decides.
Leaf = Callable[[str, str], bool | None]

_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,30})", re.ASCII)
_CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d)?")
_RATIO = re.compile(r"(\d+(?:\.\d+)?) ?(?::|to|\\text\{ ?to ?\}) ?(\d+(?:\.\d+)?)", re.ASCII)
_IN_A_BASE = re.compile(r"([0-9a-zA-Z]+)_(?:\{?(?:\\text)?\{ ?([0-9a-z]+) ?\}?\}|([0-9a-z]))")
_MAX_DEPTH = 6


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
        is_exact = ground_truth.is_integer() and abs(ground_truth) < 2**53
        return (str(int(ground_truth)) if is_exact else repr(ground_truth),)
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
    verdicts = [_verdict(answer, text, leaf=_undecided) for text in accepted]
    if True in verdicts:
        return True
    return None if None in verdicts else False


def symbolic_verdict(answer: str, accepted: tuple[str, ...]) -> bool:
    """The verdict with math-verify's word on what text does not decide."""
    from gmpo_verl.rewards.symbolic import expressions_equal

    return any(_verdict(answer, text, leaf=expressions_equal) for text in accepted)


def _undecided(answer: str, truth: str) -> bool | None:
    return False if values_differ(answer, truth) else None


def _verdict(answer: str, truth: str, leaf: Leaf) -> bool | None:
    if _INTEGER.fullmatch(answer) and _INTEGER.fullmatch(truth):  # no need to normalize what is most frequent
        return int(answer) == int(truth)
    return _compare(normalize(answer), normalize(truth), leaf)


def _compare(answer: str, truth: str, leaf: Leaf, depth: int = 0) -> bool | None:
    """Both normalized."""
    if not answer or not truth or depth > _MAX_DEPTH:
        return False
    if answer == truth or compact(answer) == compact(truth):
        return True
    answer_number, truth_number = parse_number(answer), parse_number(truth)
    if answer_number and truth_number:
        return numbers_equal(answer_number, truth_number)
    for verdict_on_text in (choice_verdict, words_verdict):
        verdict = verdict_on_text(answer, truth)
        if verdict is not None:
            return verdict
    aligned = align(answer, truth)
    if aligned is None:
        return False
    answer, truth = aligned
    if compact(answer) == compact(truth) or is_reordered(answer, truth):
        return True
    verdict = _numbers_verdict(answer, truth)
    if verdict is not None:
        return verdict
    return _structure_verdict(answer, truth, leaf, depth)


def _numbers_verdict(answer: str, truth: str) -> bool | None:
    truth_number, answer_number = _number(truth), _number(answer)
    if truth_number and answer_number:
        if _CLOCK.fullmatch(answer) and _CLOCK.fullmatch(truth):
            return False
        return numbers_equal(truth_number, answer_number)
    truth_base, answer_base = _IN_A_BASE.fullmatch(truth), _IN_A_BASE.fullmatch(answer)
    if truth_base and answer_base and truth[0].isdigit():
        return _digits_and_base(truth_base) == _digits_and_base(answer_base)
    if (truth_base and answer_number) or (answer_base and truth_number):
        return False
    if "," in answer or "," in truth:
        truth_decimal = truth_number or parse_decimal_comma(truth)
        answer_decimal = answer_number or parse_decimal_comma(answer)
        if truth_decimal and answer_decimal and numbers_equal(answer_decimal, truth_decimal):
            return True
    if truth_number is None:
        return None
    if NO_SINGLE_VALUE.search(answer) or left_to_compute(answer):
        return False
    return None


def _number(text: str) -> Number | None:
    if ratio := _RATIO.fullmatch(text):
        return parse_number(f"{ratio[1]}/{ratio[2]}")
    return parse_number(text)


_BASE_WORDS = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9"}


def _digits_and_base(match: re.Match[str]) -> tuple[str, str]:
    base = match[2] or match[3]
    return match[1].upper(), _BASE_WORDS.get(base, base)


def _structure_verdict(answer: str, truth: str, leaf: Leaf, depth: int) -> bool | None:
    answer_structure, truth_structure = parse_structure(answer), parse_structure(truth)
    if answer_structure.kind == truth_structure.kind == "single":
        part, target = answer_structure.parts[0], truth_structure.parts[0]
        if (part, target) != (answer, truth):
            return _compare(part, target, leaf, depth + 1)
        return leaf(answer, truth)
    verdict = structures_agree(answer_structure, truth_structure, partial(_compare, leaf=leaf, depth=depth + 1))
    return leaf(answer, truth) if verdict is None else verdict
