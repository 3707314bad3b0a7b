"""What a task says of itself whose data, tokenizer and warm-started model are made on the spot."""

import random
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, ClassVar, Protocol

from gmpo_verl.errors import UserError


class EmbeddedTask(Protocol):
    """A frozen dataclass of settings; every field is part of the key in the cache.

    A problem is whatever `split` returns and the other methods take. Sizes are in problems, lengths in tokens, of
    which every character is one and the opening of a box as well.
    """

    name: ClassVar[str]  # of the data source, the configuration node and the folder in the cache

    @property
    def seed(self) -> int: ...
    @property
    def train_size(self) -> int: ...  # at most
    @property
    def validation_size(self) -> int: ...
    @property
    def problem_count(self) -> int: ...  # an upper bound
    @property
    def prompt_tokens(self) -> int: ...  # of the longest prompt
    @property
    def response_tokens(self) -> int: ...  # of the longest demonstration, end of sequence included
    @property
    def batch_size(self) -> int: ...  # of the warm start
    @property
    def learning_rate(self) -> float: ...  # of the warm start
    @property
    def warm_start_steps(self) -> int: ...
    @property
    def experts(self) -> int: ...  # of each layer of the model; 1: a dense one

    def split(self) -> tuple[list[Any], list[Any]]:
        """The problems of training and of validation."""

    def rows(self, problems: Sequence[Any], split: str) -> list[dict[str, Any]]:
        """One row of verl's columns for each problem."""

    def demonstrations(self, problems: Sequence[Any], step: int, rng: random.Random) -> list[str]:
        """The batch of a step of the warm start: prompts, each with its answer behind it."""

    def prompt_length(self, text: str) -> int:
        """How many tokens of such a text are the prompt."""


def embedded_row(task: str, split: str, index: int, prompt: str, ground_truth: str) -> dict[str, Any]:
    """A problem in verl's columns."""
    return {
        "data_source": task,
        "prompt": [{"role": "user", "content": prompt}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": ground_truth},
        "extra_info": {"index": index, "split": split},
    }


def check_between(option: str, value: float, low: float, high: float) -> None:
    """Refuse a value out of range.

    Raises:
        UserError: naming the option.
    """
    if not low <= value <= high:
        raise UserError(f"{option}={value} is out of range; choose a value from {low} to {high}.")


def check_types(task: Any, name: str) -> None:
    """Refuse fields of a dataclass that are not of their declared type.

    Raises:
        UserError: naming the option as `name.field`.
    """
    for field in fields(task):
        value = getattr(task, field.name)
        if field.type is float and type(value) not in (int, float):
            raise UserError(f"{name}.{field.name}={value!r} is not a number.")
        if field.type is int and type(value) is not int:
            raise UserError(f"{name}.{field.name}={value!r} is not a whole number.")
        if field.type is bool and type(value) is not bool:
            raise UserError(f"{name}.{field.name}={value!r} is neither true nor false.")
