"""Small things that several parts do with files."""

import hashlib
import os
from pathlib import Path

from gmpo_verl.config.nearest import nearest, one_of


def write_atomically(path: str | os.PathLike[str], text: str) -> None:
    """Write a whole file or nothing: a reader, or a run that resumes after a kill, never sees half of it."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def sha256_of(file: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def free_name(path: Path) -> Path:
    """The path, or one with a number behind its stem where it is taken."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


def existing_sibling(path: Path) -> str:
    """What to write instead of a path that does not exist: its likely meant neighbours."""
    parent = path.parent
    if not parent.is_dir():
        while not parent.is_dir():
            parent = parent.parent
        return f"the folder {parent} exists, what follows it does not."
    close = nearest(path.name, [entry.name for entry in parent.iterdir() if not entry.name.startswith(".")])
    if close:
        return f"did you mean {one_of(str(parent / name) for name in close)}?"
    return f"write a path that exists; {parent.absolute()} holds nothing of a similar name."
