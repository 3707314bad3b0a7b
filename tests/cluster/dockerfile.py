"""Reads a Dockerfile of one stage, and which files of a folder its .dockerignore lets into an image."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class Step(NamedTuple):
    """One instruction: `Step("RUN", "scripts/setup.sh")`."""

    instruction: str
    arguments: str


def steps(text: str) -> list[Step]:
    """The instructions in their order, comments left out and continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Step(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def context(folder: Path) -> Iterator[PurePosixPath]:
    """The files that `COPY . .` copies, relative to the folder; the last pattern of .dockerignore that fits decides."""
    patterns = [
        line.strip()
        for line in (folder / ".dockerignore").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    yield from _below(folder, PurePosixPath(), patterns)


def _below(folder: Path, inside: PurePosixPath, patterns: list[str]) -> Iterator[PurePosixPath]:
    for path in sorted((folder / inside).iterdir()):
        relative = inside / path.name
        if _ignored(relative, patterns):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _below(folder, relative, patterns)
        else:
            yield relative


def _ignored(path: PurePosixPath, patterns: list[str]) -> bool:
    ignored = False
    for pattern in patterns:
        if any(_fits(part, pattern.removeprefix("!")) for part in (path, *path.parents)):
            ignored = not pattern.startswith("!")
    return ignored


def _fits(path: PurePosixPath, pattern: str) -> bool:
    """Whether a pattern names this path: `*` stays within a folder, a leading `**/` means at any depth."""
    if pattern.startswith("**/"):
        return fnmatchcase(path.name, pattern.removeprefix("**/"))
    return "/" not in str(path) and str(path) != "." and fnmatchcase(str(path), pattern)
