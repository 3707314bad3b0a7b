"""The problems, drawn once for training and validation, and what the warm start and verl see of them."""

import itertools
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from gmpo_verl.data.arithmetic.settings import BOX_OPEN
from gmpo_verl.data.countdown.solutions import Solution, solutions
from gmpo_verl.data.embedded_task import embedded_row
from gmpo_verl.rewards.countdown import Goal

PROMPT_END = ":"


class Problem(NamedTuple):
    """Numbers in the order of the prompt, a target, and ways to combine them with whole positive results."""

    numbers: tuple[int, ...]
    target: int
    solutions: tuple[Solution, ...]  # all that reach the target
    combinations: tuple[Solution, ...]  # all that reach any target, these among them


def split_problems(
    count: int, largest: int, largest_target: int, train_size: int, validation_size: int, seed: int
) -> tuple[list[Problem], list[Problem]]:
    """Draws the training and the validation problems.

    Returns:
        (train, validation), both in random order; no two problems have the same numbers and target.
    """
    rng = random.Random(seed)
    hands = list(itertools.combinations_with_replacement(range(1, largest + 1), count))
    rng.shuffle(hands)
    problems: list[Problem] = []
    for hand in hands:
        if len(problems) >= 2 * (train_size + validation_size):
            break
        combinations = tuple(solution for solution in solutions(hand) if solution.value <= largest_target)
        by_target: dict[int, list[Solution]] = defaultdict(list)
        for solution in combinations:
            by_target[solution.value].append(solution)
        for target, found in by_target.items():
            problems.append(Problem(tuple(rng.sample(hand, count)), target, tuple(found), combinations))
    rng.shuffle(problems)
    return problems[validation_size : validation_size + train_size], problems[:validation_size]


def prompt(problem: Problem) -> str:
    """``3,7,5=26:``"""
    return f"{','.join(map(str, problem.numbers))}={problem.target}{PROMPT_END}"


def demonstration(solution: Solution, worked_steps: bool = True) -> str:
    r"""``3*7=21\n21+5=26\n\boxed{(3*7)+5}``; without worked steps the box alone."""
    lines = solution.steps if worked_steps else ()
    return "\n".join([*lines, f"{BOX_OPEN}{solution.expression}}}"])


def draw_demonstrations(
    problems: Sequence[Problem], count: int, stray_share: float, worked_steps: bool, rng: random.Random
) -> list[str]:
    """Prompts with demonstrations behind them; with probability `stray_share` one that is right in every step and
    leads anywhere."""
    texts = []
    for problem in rng.choices(problems, k=count):
        found = problem.combinations if rng.random() < stray_share else problem.solutions
        texts.append(prompt(problem) + demonstration(rng.choice(found), worked_steps))
    return texts


def rows(problems: Sequence[Problem], split: str) -> list[dict[str, Any]]:
    """One row of verl's columns for each problem."""
    return [
        embedded_row("countdown", split, index, prompt(problem), Goal(problem.numbers, problem.target).ground_truth)
        for index, problem in enumerate(problems)
    ]
