"""Which checkpoints a run keeps: the last ones and the best. What it knows of them stands in their markers, so that a
run that resumes goes on where the earlier attempt stopped; verl's own retention forgets its list then."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from gmpo_verl.trainer.checkpoints.markers import MARKER, folder_of, marker_of, saved_steps


def superfluous(accuracies: Mapping[int, float | None], keep: int | None) -> list[int]:
    """The steps whose checkpoints can go.

    Args:
        accuracies: of every complete checkpoint by step, None where its step was not validated.
        keep: how many of the last stay; the one of the highest accuracy (of equal ones the last) stays besides. None
            keeps all.
    """
    if keep is None:
        return []
    staying = set(sorted(accuracies)[-keep:])
    best = max(((accuracy, step) for step, accuracy in accuracies.items() if accuracy is not None), default=None)
    if best is not None:
        staying.add(best[1])
    return sorted(accuracies.keys() - staying)


def remove_superfluous(checkpoints: Path, keep: int | None) -> list[int]:
    """Remove what need not be kept; to be called once a newer one is complete. The steps that went."""
    markers = {step: marker_of(folder_of(checkpoints, step)) for step in saved_steps(checkpoints)}
    steps = superfluous({step: marker.accuracy for step, marker in markers.items() if marker}, keep)
    for step in steps:
        remove(folder_of(checkpoints, step))
    return steps


def remove(folder: Path) -> None:
    """The marker first: a kill in between leaves a folder that nobody takes for a checkpoint."""
    (folder / MARKER).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
