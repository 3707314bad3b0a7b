"""What can be chosen about the embedded CountDown task: the configuration node ``countdown``."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import TYPE_CHECKING, Any, ClassVar

from gmpo_verl.data.arithmetic.settings import BOX_OPEN
from gmpo_verl.data.embedded_task import check_between, check_types

if TYPE_CHECKING:
    from gmpo_verl.data.countdown.problems import Problem


@dataclass(frozen=True)
class CountdownTask:
    """The numbers and targets, and the length of the warm start.

    Raises:
        UserError: a value out of range; the message names the option as ``countdown.<field>``.
    """

    name: ClassVar[str] = "countdown"

    numbers: int = 3  # of a problem, each from 1 to largest
    largest: int = 9
    largest_target: int = 99
    worked_steps: bool = True  # demonstrations write the operations, one a line, before the box
    seed: int = 0
    validation_size: int = 128
    train_size: int = 4096  # problems, at most; three numbers up to 9 have some 2,000 problems
    experts: int = 1  # of each layer; 1 is a dense model, more are a mixture of which one is active a token

    clean_steps: int = 1000  # warm start, first part: demonstrations that reach the target
    stray_steps: int = 100  # second part: a share of the demonstrations misses it
    stray_share: float = 0.5
    batch_size: int = 64  # demonstrations in a step of the warm start
    learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        check_types(self, self.name)
        for option, low, high in (
            ("numbers", 2, 4),
            ("largest", 4, 99),
            ("largest_target", 10, 999),
            ("seed", 0, 2**32 - 1),
            ("validation_size", 1, self.problem_count // 4),
            ("train_size", 1, 100_000),
            ("experts", 1, 64),
            ("clean_steps", 0, 100_000),
            ("stray_steps", 0, 100_000),
            ("stray_share", 0.0, 1.0),
            ("batch_size", 1, 65_536),
            ("learning_rate", 1e-6, 0.1),
        ):
            check_between(f"{self.name}.{option}", getattr(self, option), low, high)

    @property
    def problem_count(self) -> int:
        """No more problems than this exist: not every target can be reached."""
        return comb(self.largest + self.numbers - 1, self.numbers) * self.largest_target

    @property
    def warm_start_steps(self) -> int:
        return self.clean_steps + self.stray_steps

    @property
    def prompt_tokens(self) -> int:
        """``9,9,9=99:``"""
        return self.numbers * (len(str(self.largest)) + 1) + len(str(self.largest_target)) + 1

    @property
    def response_tokens(self) -> int:
        """Length of the longest demonstration, end of sequence included; data.max_response_length is at least this."""
        return _longest_demonstration(self)

    def split(self) -> "tuple[list[Problem], list[Problem]]":
        from gmpo_verl.data.countdown.problems import split_problems

        return split_problems(
            self.numbers, self.largest, self.largest_target, self.train_size, self.validation_size, self.seed
        )

    def rows(self, problems: "Sequence[Problem]", split: str) -> list[dict[str, Any]]:
        from gmpo_verl.data.countdown.problems import rows

        return rows(problems, split)

    def demonstrations(self, problems: "Sequence[Problem]", step: int, rng: random.Random) -> list[str]:
        from gmpo_verl.data.countdown.problems import draw_demonstrations

        share = self.stray_share if step >= self.clean_steps else 0.0
        return draw_demonstrations(problems, self.batch_size, share, self.worked_steps, rng)

    def prompt_length(self, text: str) -> int:
        return text.index(":") + 1


@lru_cache
def _longest_demonstration(task: CountdownTask) -> int:
    from gmpo_verl.data.countdown.problems import demonstration

    found = {solution for part in task.split() for problem in part for solution in problem.combinations}
    return max(len(demonstration(solution, task.worked_steps)) for solution in found) - len(BOX_OPEN) + 2
