"""Where a run goes on: its newest whole checkpoint, what is newer and why it is not taken, and clearing that away."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from gmpo_verl.files import free_name, write_atomically
from gmpo_verl.trainer.checkpoints.markers import MARKER, flaw, folder_of, mark_complete, saved_steps
from gmpo_verl.trainer.checkpoints.retention import remove
from gmpo_verl.trainer.checkpoints.unmarked import is_proven
from gmpo_verl.trainer.run_metrics import metrics_rows, validation_accuracy

_DAMAGED = "damaged_"


@dataclass(frozen=True)
class ResumePoint:
    """The step of the newest whole checkpoint, 0 for none, and the flaws of the others by their steps.

    Attributes:
        unmarked: whole, though without a marker (`unmarked.is_proven`).
    """

    step: int = 0
    flaws: dict[int, str] = field(default_factory=dict)
    unmarked: tuple[int, ...] = ()

    @property
    def skipped(self) -> list[str]:
        """A sentence for each checkpoint that is newer than the one that is taken."""
        newer = {step: why for step, why in self.flaws.items() if step > self.step}
        return [f"global_step_{step} is not resumed from: it {why}" for step, why in newer.items()]


def find(checkpoints: Path, metrics: Path) -> ResumePoint:
    """Look at every checkpoint, write nothing.

    Args:
        metrics: the run's metrics.jsonl.
    """
    newest, flaws, unmarked = 0, {}, []
    for step in saved_steps(checkpoints):
        folder = folder_of(checkpoints, step)
        marked = (folder / MARKER).exists()
        if newest and marked:
            continue  # nobody asks for the files of an older one
        why = flaw(folder)
        if why and not marked and is_proven(folder, metrics):
            unmarked.append(step)
            why = ""
        if why:
            flaws[step] = why
        else:
            newest = newest or step
    return ResumePoint(newest, flaws, tuple(unmarked))


def clear(checkpoints: Path, metrics: Path, point: ResumePoint) -> None:
    """Make the folder agree with what was found; for the process that holds the run's lock.

    A checkpoint without a marker is removed: it is half-written, helps nobody, takes as much room as the next one and
    would mix with that if another number of ranks saved it. One whose files have changed since is only renamed, for
    the user to look into. verl's own note of its latest checkpoint is brought in line.
    """
    accuracies = {row["step"]: validation_accuracy(row["data"]) for row in metrics_rows(metrics)}
    for step in point.unmarked:
        mark_complete(folder_of(checkpoints, step), accuracies.get(step))
    for step in point.flaws:
        folder = folder_of(checkpoints, step)
        if (folder / MARKER).exists():
            os.replace(folder, free_name(checkpoints / f"{_DAMAGED}{folder.name}"))
        else:
            remove(folder)
    latest = checkpoints / "latest_checkpointed_iteration.txt"
    if point.step:
        write_atomically(latest, str(point.step))
    else:
        latest.unlink(missing_ok=True)
