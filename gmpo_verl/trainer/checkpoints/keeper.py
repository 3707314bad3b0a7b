"""A run's checkpoints while it trains: room for the next, its marker once its step is logged, and what can go then."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gmpo_verl.trainer.checkpoints.disk_room import shortage
from gmpo_verl.trainer.checkpoints.markers import folder_of, mark_complete, marker_of, saved_steps
from gmpo_verl.trainer.checkpoints.retention import remove_superfluous
from gmpo_verl.trainer.guards import TrainingStoppedError
from gmpo_verl.trainer.run_metrics import validation_accuracy

_FILES = {"model": "model", "optimizer": "optim", "extra": "extra_state"}  # verl's name of a content: of its file


class CheckpointKeeper:
    """Says which of the checkpoints that verl writes are complete, and removes those that need not be kept.

    Args:
        checkpoints: the folder `checkpoints`.
        keep: as in `retention.superfluous`.
        contents: what each rank saves, in the words of verl's `checkpoint.save_contents`.
        estimate: bytes of one checkpoint, for as long as there is none to measure; None where that is not known.
        settle: called before a marker is written, to wait for what belongs to the step and is still being written.
    """

    def __init__(
        self,
        checkpoints: Path,
        keep: int | None,
        contents: tuple[str, ...],
        estimate: float | None,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        self._checkpoints, self._keep, self._contents = checkpoints, keep, contents
        self._estimate, self._settle = estimate, settle
        self._saved: int | None = None  # whose step is not logged yet

    def shortage(self) -> str:
        """Why the disk has no room for one more checkpoint; empty where it has."""
        markers = (marker_of(folder_of(self._checkpoints, step)) for step in saved_steps(self._checkpoints))
        size = next((marker.size for marker in markers if marker), self._estimate)
        return "" if size is None else shortage(self._checkpoints, size)

    def saved(self, step: int) -> None:
        """verl has written the checkpoint of this step, which goes on with validation and logging.

        Raises:
            TrainingStoppedError: the files of some ranks are not here.
        """
        folder = folder_of(self._checkpoints, step)
        if missing := self._missing(folder / "actor"):
            raise TrainingStoppedError(
                f"step {step}: the checkpoint {folder} lacks {missing}: write a trainer.default_local_dir that all "
                "nodes share."
            )
        self._saved = step

    def row_written(self, step: int, data: Mapping[str, Any]) -> None:
        """The metrics of this step are on disk: its checkpoint, where there is one, is complete."""
        if self._saved != step:
            return
        self._settle()
        mark_complete(folder_of(self._checkpoints, step), validation_accuracy(data))
        self._saved = None
        remove_superfluous(self._checkpoints, self._keep)

    def _missing(self, actor: Path) -> str:
        """The first file that a rank has saved and that cannot be seen from here."""
        config = actor / "fsdp_config.json"
        if not config.is_file():
            return "" if actor.is_dir() else "actor"  # another engine than FSDP
        ranks = json.loads(config.read_text(encoding="utf-8"))["world_size"]
        names = [_FILES[content] for content in self._contents if content in _FILES]
        files = (f"{name}_world_size_{ranks}_rank_{rank}.pt" for rank in range(ranks) for name in names)
        return next((f"actor/{file}" for file in files if not (actor / file).is_file()), "")
