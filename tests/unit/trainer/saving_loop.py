"""`RUN_DIR`: what a run does with its checkpoints and metrics, without the training, until it is killed."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

from gmpo_verl.trainer.checkpoints import resume_point
from gmpo_verl.trainer.checkpoints.keeper import CheckpointKeeper
from gmpo_verl.trainer.metrics_log import MetricsLog
from gmpo_verl.trainer.run_metrics import cut_metrics

RANKS = 2
CONTENTS = {"model": "model", "optimizer": "optim", "extra": "extra_state"}


class NoTracking:
    def log(self, **_: Any) -> None:
        pass


def save(checkpoints: Path, step: int) -> None:
    """In verl's order: each rank's files, the data loader's, the note of the latest."""
    actor = checkpoints / f"global_step_{step}" / "actor"
    actor.mkdir(parents=True, exist_ok=True)
    for name in CONTENTS.values():
        for rank in range(RANKS):
            archive(actor / f"{name}_world_size_{RANKS}_rank_{rank}.pt", step)
    (actor / "fsdp_config.json").write_text(json.dumps({"world_size": RANKS}))
    archive(actor.parent / "data.pt", step)
    (checkpoints / "latest_checkpointed_iteration.txt").write_text(str(step))


def archive(file: Path, step: int) -> None:
    with zipfile.ZipFile(file, "w") as content:
        content.writestr("step", str(step))
        content.writestr("bytes", bytes(200_000))


def main(run_dir: Path) -> None:
    checkpoints, metrics = run_dir / "checkpoints", run_dir / "metrics.jsonl"
    checkpoints.mkdir(parents=True, exist_ok=True)
    point = resume_point.find(checkpoints, metrics)
    resume_point.clear(checkpoints, metrics, point)
    cut_metrics(metrics, point.step or -1)
    keeper = CheckpointKeeper(checkpoints, 2, tuple(CONTENTS), None)
    log = MetricsLog(NoTracking(), metrics, keeper.row_written)
    print(point.step, flush=True)
    for step in range(point.step + 1, 1_000_000):
        save(checkpoints, step)
        keeper.saved(step)
        log.log({"val-core/x/acc/mean@1": 1 / (1 + step % 7)}, step)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
