"""The answers that a run has dumped, `rollouts/<step>.jsonl` and `validation/<step>.jsonl`, row by row as they are."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["validation", "rollout"]
FOLDERS: dict[Kind, str] = {"validation": "validation", "rollout": "rollouts"}


@dataclass
class DumpReader:
    """Reads each file of a run's dumps once; called again, it reads what has been added or rewritten since.

    Attributes:
        broken_lines: lines that were no JSON object and were left out.
        unreadable_files: files that could not be opened.
    """

    folder: Path
    broken_lines: int = 0
    unreadable_files: int = 0
    _read: dict[Path, tuple[int, int]] = field(default_factory=dict)  # `form` when it was read

    def changed(self, kind: Kind) -> list[Path]:
        """The files that were not read yet in their present form, in order of steps."""
        return [path for path in dump_files(self.folder, kind) if self._read.get(path) != form(path)]

    def rewritten(self) -> bool:
        """Whether a file that was read has since changed or gone, as after a resume: all must be read anew."""
        return any(form(path) != then for path, then in self._read.items())

    def rows(self, path: Path) -> Iterator[dict[str, Any]]:
        """The rows of one file; the step is the file's where a row does not say it."""
        self._read[path] = form(path)
        try:
            with path.open("rb") as lines:
                for line in lines:
                    if (row := self._row(line)) is not None:
                        yield row if isinstance(row.get("step"), int) else row | {"step": int(path.stem)}
        except OSError:
            self.unreadable_files += 1

    def _row(self, line: bytes) -> dict[str, Any] | None:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            return row
        self.broken_lines += bool(line.strip())
        return None


def dump_files(folder: Path, kind: Kind) -> list[Path]:
    """A run's dumps of one kind, in order of steps."""
    files = [path for path in (folder / FOLDERS[kind]).glob("*.jsonl") if _is_step(path.stem)]
    return sorted(files, key=lambda path: int(path.stem))


def _is_step(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 12


def form(path: Path) -> tuple[int, int]:
    """Size and time of the last change, which tell one version of a file from another; (-1, 0) for no file."""
    try:
        status = path.stat()
    except OSError:
        return -1, 0
    return status.st_size, status.st_mtime_ns
