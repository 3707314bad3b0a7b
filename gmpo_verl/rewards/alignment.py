"""An answer and a truth brought to one form: what only one of them says about its value is taken off."""

import re

from gmpo_verl.rewards.intervals import as_interval
from gmpo_verl.rewards.plain_numbers import parse_number
from gmpo_verl.rewards.quantities import split_unit
from gmpo_verl.rewards.relations import (
    assignment,
    computed_value,
    last_side,
    without_approximation,
    without_membership,
)
from gmpo_verl.rewards.structure import parse_structure
from gmpo_verl.rewards.units import units_contradict

_RELATION = re.compile(r"[=<>]|\\(?:le|ge|ne)(?![a-zA-Z])")
_HAS_BOUNDS = re.compile(rf"{_RELATION.pattern}|^[(\[]|\\(?:cup|cap|setminus|infty)")


def align(answer: str, truth: str) -> tuple[str, str] | None:
    r"""Both normalized texts without names ("x =", "x \in"), approximations and units, bounds as intervals.

    None where what they say contradicts: two variables, two units, a relation against a value.
    """
    answer, truth = without_membership(answer), without_membership(truth)
    answer = without_approximation(answer, wants_decimal=_is_decimal(truth))
    truth = without_approximation(truth, wants_decimal=False)
    sides: tuple[str, str] | None = (answer, truth)
    for step in (_align_equations, _align_bounds, _align_units):
        if sides is not None:
            sides = step(*sides)
    return sides


def _is_decimal(truth: str) -> bool:
    number = parse_number(split_unit(assignment(truth)[1])[0])
    return number is not None and number.is_decimal


def _align_equations(answer: str, truth: str) -> tuple[str, str] | None:
    if "=" not in answer and "=" not in truth:
        return answer, truth
    answer_name, answer_value = assignment(answer)
    truth_name, truth_value = assignment(truth)
    if answer_name and truth_name and answer_name != truth_name:
        are_numbers = parse_number(answer_value) and parse_number(truth_value)
        return None if are_numbers else (answer, truth)
    answer_value, truth_value = computed_value(answer_value), computed_value(truth_value)
    if ("=" in answer_value) != ("=" in truth_value) and "=" in answer and "=" in truth:
        return answer, truth  # "y = 2x+1" and "y-2x = 1" may be one equation
    if "=" in answer_value and "=" not in truth_value and _is_single(answer_value):
        answer_value = last_side(answer_value)
        if "=" in answer_value:
            return None
    return answer_value, truth_value


def _align_bounds(answer: str, truth: str) -> tuple[str, str] | None:
    answer_variable, answer_interval = as_interval(answer)
    truth_variable, truth_interval = as_interval(truth)
    if answer_variable and truth_variable and answer_variable != truth_variable:
        return None
    if _RELATION.search(truth_interval) and not _RELATION.search(answer_interval) and _is_single(answer_interval):
        return None
    if answer_variable and not truth_variable and not _HAS_BOUNDS.search(truth):
        return None
    return answer_interval, truth_interval


def _align_units(answer: str, truth: str) -> tuple[str, str] | None:
    answer, answer_unit = split_unit(answer)
    truth, truth_unit = split_unit(truth)
    return None if units_contradict(answer_unit, truth_unit) else (answer, truth)


def _is_single(text: str) -> bool:
    return len(parse_structure(text).parts) == 1
