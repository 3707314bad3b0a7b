"""The one folder that holds a run's temporary things: made before the driver starts, removed after it ended."""

import contextlib
import itertools
import shutil
import tempfile
from pathlib import Path

TEMP_DIR = "GMPO_TEMP_DIR"  # names the folder to every process of the run
PREFIX = "gmpo-"
# A Unix socket's path has at most 107 bytes; Ray adds /ray/session_<40 characters>/sockets/plasma_store to ours.
_LONGEST_PARENT = 24
_LONGEST_LOG = 2 << 20  # bytes kept of one log file, its end
_ALL_LOGS = 50 << 20  # bytes kept of all


def parent_of_temp_dirs() -> Path:
    """The system's folder for temporary files, or /tmp where that one's path is too long."""
    parent = tempfile.gettempdir()
    return Path(parent if len(parent) <= _LONGEST_PARENT else "/tmp")


def make_temp_dir() -> Path:
    """A new folder for one run."""
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent_of_temp_dirs()))


def keep_ray_logs(temp_dir: Path, logs_dir: Path) -> Path | None:
    """Copy the logs of Ray's sessions under `temp_dir` to a new folder `logs_dir`/ray-<n>; None if there are none."""
    logs = [
        file
        for session in sorted(temp_dir.glob("ray/session_*"))
        if not session.is_symlink()
        for file in sorted((session / "logs").rglob("*"), key=_newest_first)
        if file.is_file() and file.stat().st_size
    ]
    if not logs:
        return None
    target = next(d for n in itertools.count(1) if not (d := logs_dir / f"ray-{n}").exists())
    room = _ALL_LOGS
    for file in logs:
        relative = file.relative_to(temp_dir / "ray")
        copy = target.joinpath(*relative.parts[2:])  # without session_*/logs
        with contextlib.suppress(OSError):
            room -= _copy_end(file, copy, min(room, _LONGEST_LOG))
        if room <= 0:
            break
    return target


def remove_temp_dir(temp_dir: Path) -> None:
    shutil.rmtree(temp_dir, ignore_errors=True)


def _newest_first(file: Path) -> float:
    with contextlib.suppress(OSError):
        return -file.stat().st_mtime
    return 0.0


def _copy_end(source: Path, target: Path, limit: int) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as file:
        file.seek(max(0, source.stat().st_size - limit))
        return target.write_bytes(file.read(limit))
