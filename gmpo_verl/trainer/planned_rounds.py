"""How many rounds verl's trainer set out to do, for the driver, which sees the run's end and not its data set."""

from pathlib import Path

_FILE = Path("logs") / "planned_rounds"


def note_planned_rounds(run_dir: str | Path, rounds: int) -> None:
    """From the trainer's process, on a file system that the run's nodes share."""
    (Path(run_dir) / _FILE).write_text(f"{rounds}\n", encoding="utf-8")


def planned_rounds(run_dir: str | Path) -> int | None:
    """None where the trainer never came to it."""
    file = Path(run_dir) / _FILE
    return int(file.read_text(encoding="utf-8")) if file.exists() else None
