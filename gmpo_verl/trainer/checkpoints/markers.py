"""Which checkpoints of a run are whole. Standard library only.

verl writes `checkpoints/global_step_N/` file by file, and its `latest_checkpointed_iteration.txt` before the step is
validated and logged. So a folder counts only with a marker of ours in it, `COMPLETE`, which is written last: when every
file is on disk and the step's row stands in metrics.jsonl.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gmpo_verl.files import sha256_of, write_atomically

MARKER = "COMPLETE"
_PREFIX = "global_step_"
# Bytes: all of a small model's files, and of a large one's all but the shards, which take minutes to read.
_CHECKSUM_UP_TO = 16 << 20


@dataclass(frozen=True)
class Marker:
    """What a marker says of its checkpoint: bytes in all, and the validation accuracy where its step was validated."""

    size: int
    accuracy: float | None = None


def folder_of(checkpoints: Path, step: int) -> Path:
    return checkpoints / f"{_PREFIX}{step}"


def step_of(folder: Path) -> int | None:
    """The N of a folder `global_step_N`, None for another name."""
    number = folder.name.removeprefix(_PREFIX)
    return int(number) if folder.name.startswith(_PREFIX) and number.isdecimal() else None


def saved_steps(checkpoints: Path) -> list[int]:
    """The steps of all checkpoint folders, whole or not, the newest first."""
    folders = checkpoints.iterdir() if checkpoints.is_dir() else ()
    return sorted((step for folder in folders if (step := step_of(folder)) is not None), reverse=True)


def mark_complete(folder: Path, accuracy: float | None = None) -> None:
    """Write the marker of a checkpoint whose files are all written, once the disk has them."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not _is_marker(path, folder)):
        _to_disk(path)
        size = path.stat().st_size
        files[path.relative_to(folder).as_posix()] = {"size": size} | (
            {"sha256": sha256_of(path)} if size <= _CHECKSUM_UP_TO else {}
        )
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        _to_disk(path)
    content = {"step": step_of(folder), "accuracy": accuracy, "files": files}
    write_atomically(folder / MARKER, json.dumps(content, indent=1) + "\n")


def marker_of(folder: Path) -> Marker | None:
    """What the marker says; None without one. It is believed, `flaw` looks at the files."""
    content = _read(folder)
    if content is None:
        return None
    accuracy = content.get("accuracy")
    size = sum(file["size"] for file in content["files"].values())
    return Marker(size, float(accuracy) if isinstance(accuracy, int | float) else None)


def flaw(folder: Path) -> str:
    """Why a checkpoint cannot be resumed from, as the end of a sentence about it; empty for a whole one."""
    content = _read(folder)
    if content is None:
        return f"has no {MARKER} marker" if not (folder / MARKER).exists() else f"has a {MARKER} marker of no use"
    for name, file in content["files"].items():
        path = folder / name
        try:
            size = path.stat().st_size
            if size != file["size"]:
                return f"has {size:,} bytes of {name}, where {file['size']:,} were saved"
            if "sha256" in file and sha256_of(path) != file["sha256"]:
                return f"has another content in {name} than was saved"
        except OSError as error:
            return f"lacks {name} ({error.strerror})"
    return ""


def newest_complete(folder: str | os.PathLike[str]) -> int:
    """The step of the newest whole checkpoint in a run's `checkpoints` folder; 0 for none."""
    checkpoints = Path(folder)
    return next((step for step in saved_steps(checkpoints) if not flaw(folder_of(checkpoints, step))), 0)


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        content = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        if all(isinstance(file["size"], int) for file in content["files"].values()):
            return dict(content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    return None


def _is_marker(path: Path, folder: Path) -> bool:
    """Or what a process that was killed while it wrote one has left."""
    return path.parent == folder and MARKER in path.name


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
