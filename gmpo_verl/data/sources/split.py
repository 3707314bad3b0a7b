"""What every kind of source gives: named splits of rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]  # a source's columns by name; an image is {"bytes": ..., "path": ...}, a path or a picture


@dataclass(frozen=True)
class Split:
    """Some rows of a source, read when they are asked for.

    `read` raises UserError where the rows cannot be read to their end.
    """

    name: str
    columns: tuple[str, ...]
    count: int
    read: Callable[[], Iterator[Row]]


@dataclass(frozen=True)
class Source:
    """A data set as somebody stored it."""

    given: str  # as the user wrote it
    name: str  # an absolute path, or the hub's id
    splits: tuple[Split, ...]
    files: tuple[Path, ...] = ()  # what was read, where it lies on this machine
    folder: Path | None = None  # where the paths in its rows start


def one_line(error: BaseException) -> str:
    """What an error says, in one line without a full stop."""
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__
