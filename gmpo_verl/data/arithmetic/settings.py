"""What can be chosen about the embedded task: the configuration node ``arithmetic``."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from gmpo_verl.data.embedded_task import check_between, check_types
from gmpo_verl.errors import UserError

if TYPE_CHECKING:
    from gmpo_verl.data.arithmetic.problems import Problem

# Problems are drawn from range(number of problems), which Python can sample only below 2**63.
MAX_PROMPT_DIGITS = 18
MAX_TERMS = 9
LONGEST_CONTEXT = 2048  # of the model, in tokens
BOX_OPEN = r"\boxed{"


@dataclass(frozen=True)
class ArithmeticTask:
    """The additions, the demonstrations of the warm start, and its length.

    Raises:
        UserError: a value out of range; the message names the option as ``arithmetic.<field>``.
    """

    name: ClassVar[str] = "arithmetic"
    experts: ClassVar[int] = 1

    digits: int = 2  # of every term; the first is never 0
    terms: int = 2
    worked_steps: bool = False  # demonstrations write the partial sums, one a line, before the box
    seed: int = 0
    validation_size: int = 128
    train_size: int = 8192  # at most; two terms of two digits have 8100 problems in all

    clean_steps: int = 400  # warm start, first part: correct demonstrations
    slip_steps: int = 150  # second part: a share of the demonstrations carries one slip
    slip_share: float = 0.6
    slip_range: int = 9  # a slip adds one of -slip_range..slip_range, 0 excepted
    batch_size: int = 64  # demonstrations in a step of the warm start
    learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        check_types(self, self.name)
        check_between(f"{self.name}.digits", self.digits, 1, 9)
        check_between(f"{self.name}.terms", self.terms, 2, MAX_TERMS)
        if self.digits * self.terms > MAX_PROMPT_DIGITS:
            raise UserError(
                f"arithmetic.terms={self.terms} of arithmetic.digits={self.digits} digits are "
                f"{self.digits * self.terms} digits in a problem; choose at most {MAX_PROMPT_DIGITS}."
            )
        check_between(f"{self.name}.seed", self.seed, 0, 2**32 - 1)
        check_between(f"{self.name}.validation_size", self.validation_size, 1, self.problem_count // 4)
        check_between(f"{self.name}.train_size", self.train_size, 1, 1_000_000)
        for name in ("clean_steps", "slip_steps"):
            check_between(f"{self.name}.{name}", getattr(self, name), 0, 100_000)
        check_between(f"{self.name}.slip_share", self.slip_share, 0.0, 1.0)
        check_between(f"{self.name}.slip_range", self.slip_range, 1, 9)
        check_between(f"{self.name}.batch_size", self.batch_size, 1, 65_536)
        check_between(f"{self.name}.learning_rate", self.learning_rate, 1e-6, 0.1)

    @property
    def problem_count(self) -> int:
        """How many different problems there are."""
        return (9 * 10 ** (self.digits - 1)) ** self.terms

    @property
    def prompt_tokens(self) -> int:
        """Length of every prompt: one token a character."""
        return self.terms * (self.digits + 1)

    @property
    def response_tokens(self) -> int:
        """Length of the longest demonstration, end of sequence included; data.max_response_length is at least this."""
        from gmpo_verl.data.arithmetic.problems import demonstration

        largest = demonstration((10**self.digits - 1,) * self.terms, self.worked_steps)
        return len(largest) - len(BOX_OPEN) + 2

    @property
    def warm_start_steps(self) -> int:
        return self.clean_steps + self.slip_steps

    def split(self) -> "tuple[list[Problem], list[Problem]]":
        from gmpo_verl.data.arithmetic.problems import split_problems

        return split_problems(self)

    def rows(self, problems: "Sequence[Problem]", split: str) -> list[dict[str, Any]]:
        from gmpo_verl.data.arithmetic.problems import rows

        return rows(problems, split)

    def demonstrations(self, problems: "Sequence[Problem]", step: int, rng: random.Random) -> list[str]:
        from gmpo_verl.data.arithmetic.problems import draw_demonstrations

        return draw_demonstrations(problems, self, self.slip_share if step >= self.clean_steps else 0.0, rng)

    def prompt_length(self, text: str) -> int:
        return self.prompt_tokens
