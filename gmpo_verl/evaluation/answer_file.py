"""The answers of an evaluation, one JSON object a line, kept as they come and found again after any kind of end.

`OUT/evaluation.json` says whose they are (the fingerprint), `OUT/answers.jsonl` holds them.
"""

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

from gmpo_verl.errors import UserError
from gmpo_verl.evaluation.fingerprint import differences
from gmpo_verl.files import write_atomically

IDENTITY, ANSWERS, LOCK = "evaluation.json", "answers.jsonl", ".lock"
_OURS = {IDENTITY, ANSWERS, LOCK, "results.json", "results.md", "verdicts.jsonl", "logs"}


@dataclass(frozen=True, order=True)
class Key:
    """Which answer: of which problem, to which prompt, the how-manieth."""

    benchmark: str
    index: int
    prompt: str  # digest
    sample: int


class AnswerFile:
    """Open for one process at a time; a context manager."""

    def __init__(self, out: Path, identify: Callable[[dict[str, Any] | None], dict[str, Any]]) -> None:
        """Open or make the folder.

        Args:
            out: of `--out`.
            identify: the fingerprint of this evaluation, given the stored one.

        Raises:
            UserError: the folder holds other files or another evaluation, or another process writes to it.
            OSError: it cannot be written.
        """
        _refuse_other_files(out)
        out.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(out)
        self.answers: dict[Key, dict[str, Any]] = {}
        stored = _read_json(out / IDENTITY)
        if stored is None and (out / ANSWERS).exists() and (out / ANSWERS).stat().st_size:
            self._lock.close()
            raise UserError(f"--out {out} has answers but no {IDENTITY} that says whose: name another folder.")
        identity = identify(stored)
        if stored is not None and (found := differences(stored, identity)):
            self._lock.close()
            raise UserError(
                f"--out {out} holds the answers of another evaluation ({', '.join(found)}): "
                "name another folder, or set these back."
            )
        write_atomically(out / IDENTITY, json.dumps(identity, indent=2) + "\n")
        self._file = (out / ANSWERS).open("a+b")
        self._load()

    def add(self, key: Key, answer: dict[str, Any]) -> None:
        """Keep an answer: it is on disk, as far as a killed process goes, when this returns."""
        row = asdict(key) | answer
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()
        self.answers[key] = row

    def __enter__(self) -> "AnswerFile":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._file.close()
        finally:
            self._lock.close()

    def _load(self) -> None:
        self._file.seek(0)
        end = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break  # a writer was killed in the middle of it
            end += len(line)
            try:
                row = json.loads(line)
                self.answers[Key(*(row[field.name] for field in fields(Key)))] = row
            except (ValueError, KeyError, TypeError):
                continue
        self._file.truncate(end)


def _refuse_other_files(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file: name a folder.")
    if out.is_dir():
        foreign = [name for name in os.listdir(out) if name not in _OURS and not name.startswith(".")]
        if foreign and not (out / IDENTITY).is_file():
            raise UserError(f"--out {out} holds other files ({foreign[0]}): name a folder that is new or empty.")


def _lock(out: Path) -> IO[str]:
    """The system lets go of it when the process ends, however it ends."""
    file = (out / LOCK).open("a", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise UserError(f"--out {out} is being written by another process: wait for its end.") from None
    return file


def _read_json(file: Path) -> dict[str, Any] | None:
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stored if isinstance(stored, dict) else None
