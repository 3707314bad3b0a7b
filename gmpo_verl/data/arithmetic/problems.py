"""The additions, their demonstrations, and their rows in verl's columns."""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from gmpo_verl.data.arithmetic.settings import BOX_OPEN, ArithmeticTask
from gmpo_verl.data.embedded_task import embedded_row

Problem = tuple[int, ...]  # the terms of one addition


class Slip(NamedTuple):
    """One wrong partial sum; what follows is computed correctly from it."""

    position: int  # which of the partial sums, from 0
    offset: int


def split_problems(settings: ArithmeticTask) -> tuple[list[Problem], list[Problem]]:
    """Draws the training and the validation problems.

    Returns:
        (train, validation), both in random order. No training problem is a validation problem with its terms in
        another order.
    """
    rng = random.Random(settings.seed)
    low, high = 10 ** (settings.digits - 1), 10**settings.digits
    count = min(settings.problem_count, settings.train_size + settings.validation_size)
    drawn = [
        _terms_of(number, settings.terms, low, high) for number in rng.sample(range(settings.problem_count), count)
    ]
    validation = drawn[: settings.validation_size]
    held_out = {tuple(sorted(problem)) for problem in validation}
    return [p for p in drawn[settings.validation_size :] if tuple(sorted(p)) not in held_out], validation


def prompt(problem: Problem) -> str:
    """``37+58=``"""
    return "+".join(map(str, problem)) + "="


def demonstration(problem: Problem, worked_steps: bool = False, slip: Slip | None = None) -> str:
    r"""The answer to a problem as the warm start shows it.

    ``\boxed{95}``, or with worked steps the partial sums of 12+34+56 first: ``12+34=46\n46+56=102\n\boxed{102}``.
    """
    total, lines = problem[0], []
    for position, term in enumerate(problem[1:]):
        partial = total + term + (slip.offset if slip and slip.position == position else 0)
        if worked_steps:
            lines.append(f"{total}+{term}={partial}")
        total = partial
    return "\n".join([*lines, f"{BOX_OPEN}{total}}}"])


def draw_slip(problem: Problem, slip_range: int, rng: random.Random) -> Slip:
    """A slip that leaves the partial sum at 0 or more: the task knows no minus sign."""
    position = rng.randrange(len(problem) - 1)
    lowest = -min(slip_range, sum(problem[: position + 2]))
    offset = rng.randrange(lowest, slip_range)
    return Slip(position, offset if offset < 0 else offset + 1)


def draw_demonstrations(
    problems: Sequence[Problem], settings: ArithmeticTask, slip_share: float, rng: random.Random
) -> list[str]:
    """One batch of prompts followed by their demonstrations, each with a slip with probability ``slip_share``."""
    texts = []
    for problem in rng.choices(problems, k=settings.batch_size):
        slip = draw_slip(problem, settings.slip_range, rng) if rng.random() < slip_share else None
        texts.append(prompt(problem) + demonstration(problem, settings.worked_steps, slip))
    return texts


def rows(problems: Sequence[Problem], split: str) -> list[dict[str, Any]]:
    """One row of verl's columns for each problem."""
    return [
        embedded_row("arithmetic", split, index, prompt(problem), str(sum(problem)))
        for index, problem in enumerate(problems)
    ]


def _terms_of(number: int, terms: int, low: int, high: int) -> Problem:
    """The problem with this number: its terms are the digits of the number in base ``high - low``."""
    digits = []
    for _ in range(terms):
        number, digit = divmod(number, high - low)
        digits.append(low + digit)
    return tuple(digits)
