"""What is to be known of a data set to prepare it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gmpo_verl.data.sources import Row, Split
from gmpo_verl.data.templates import Template

_SPLIT = re.compile(r"(?P<test>test)|(?P<validation>val|dev)", re.IGNORECASE)


class UnusableRowError(ValueError):
    """Why a row is no problem that can be trained on or graded; the words stand in the manifest."""


@dataclass(frozen=True)
class Problem:
    """One row, read."""

    text: str
    answer: Any  # a string, a number or a list of acceptable ones; None where there is none
    level: str | None = None
    subject: str | None = None
    images: Any = None  # a list, as the source has it


def training_split(name: str) -> str:
    """`test` and `validation` for splits that are called so, `train` for all others."""
    found = _SPLIT.match(name)
    return str(found.lastgroup) if found else "train"


def all_in_one(name: str) -> str:
    """Every split is training data."""
    return "train"


@dataclass(frozen=True)
class DataSet:
    """How one set is found, read and laid out."""

    name: str
    hub: str | None  # the well-known id
    columns: tuple[tuple[str, ...], ...]  # the layouts it is known in, by the columns that are read
    read: Callable[[Row], Problem]  # raises UnusableRowError
    file_of: Callable[[str], str | None] = training_split  # by the source's split; None: no part of the set
    files: tuple[str, ...] = ("train",)  # without these the source is not this set
    hub_config: str | None = None
    leave_out: Callable[[Row], str | None] = lambda row: None  # why a row is no part of the set
    held_out: tuple[str, ...] = ()  # benchmarks whose problems are left out
    template: Template = "qwen_math"  # the default
    benchmarks: bool = False  # every file is a set of its own
    has_images: bool = False
    embedded: Callable[[], tuple[Split, ...]] | None = None  # makes the rows: there is no source
    where: str = ""  # where to get it, if not on the hub
    remark: str = ""  # printed with the counts
