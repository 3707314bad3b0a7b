"""Folders that the run writes to."""

import os
from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig

from gmpo_verl.errors import UserError
from gmpo_verl.trainer.run_dir import inspect_run_dir


def check(config: DictConfig) -> Iterator[str]:
    if not isinstance(config.run_dir, str) or not config.run_dir:
        return
    try:
        run = inspect_run_dir(config)
    except UserError as error:
        yield str(error)
    else:
        if run.state == "resume" and run.resumed_step and config.trainer.resume_mode == "disable":
            yield (
                f"trainer.resume_mode=disable contradicts run_dir={run.path}, which holds a run: "
                "write trainer.resume_mode=auto, or name another folder."
            )
    for key, folder in (
        ("run_dir", config.run_dir),
        ("trainer.default_local_dir", config.trainer.default_local_dir),
        ("trainer.rollout_data_dir", config.trainer.rollout_data_dir),
        ("trainer.validation_data_dir", config.trainer.validation_data_dir),
    ):
        if key == "trainer.default_local_dir" and not folder:
            yield f"{key} is not set: write {key}={config.run_dir}/checkpoints."
        elif folder and not _can_be_made(Path(folder).expanduser()):
            yield f"{key}={folder} cannot be written: name a folder that you may write to."


def _can_be_made(path: Path) -> bool:
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)
