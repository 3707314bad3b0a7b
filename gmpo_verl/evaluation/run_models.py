"""The model of a run: its newest complete checkpoint, exported once to `run_dir/export/<step>`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from gmpo_verl.errors import UserError
from gmpo_verl.evaluation.failure import EvaluationFailedError
from gmpo_verl.trainer.checkpoints import resume_point
from gmpo_verl.trainer.checkpoints.markers import flaw, folder_of, step_of
from gmpo_verl.trainer.checkpoints.unmarked import is_proven

_EXPORT = "export"
_METRICS = "metrics.jsonl"
_LOG_LINES = 5


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint of a run."""

    run_dir: Path
    config: dict[str, Any]  # the run's
    folder: Path
    step: int

    @property
    def name(self) -> str:
        """For tables: the base model, the run's folder (by default algorithm and seed), and the step."""
        return _name(self.config, self.run_dir, self.step)

    @property
    def dtype(self) -> str:
        """The type in which the run's own rollouts and validation hold the weights."""
        dtype = str(self.config["actor_rollout_ref"]["rollout"]["dtype"])
        return dtype if dtype in ("float32", "float16") else "bfloat16"


def checkpoint_of(folder: Path) -> Checkpoint | None:
    """The checkpoint that a run directory, or a folder `global_step_N` of its checkpoints, stands for.

    None where the folder is neither.

    Raises:
        UserError: a run without a complete checkpoint.
    """
    folder = folder.resolve()
    step = step_of(folder)
    if step is not None:
        run_dir = folder.parent.parent
        config = _run_config(run_dir)
        if config is None:
            return None
        why = flaw(folder)
        if why and not is_proven(folder, run_dir / _METRICS):
            raise UserError(f"--model {folder} is not complete, it {why}: write another checkpoint.")
        return Checkpoint(run_dir, config, folder, step)
    config = _run_config(folder)
    if config is None:
        return None
    checkpoints = Path(config["trainer"].get("default_local_dir") or folder / "checkpoints").expanduser()
    if not checkpoints.is_dir():
        checkpoints = folder / "checkpoints"  # the run directory has been moved
    newest = resume_point.find(checkpoints, folder / _METRICS).step
    if not newest:
        raise UserError(
            f"--model {folder} is a run without a complete checkpoint: let it train up to its first one "
            "(trainer.save_freq), or write the folder of a model."
        )
    return Checkpoint(folder, config, folder_of(checkpoints, newest), newest)


def run_of_export(folder: Path) -> tuple[Path, str] | None:
    """The run directory that `run_dir/export/<step>` belongs to, and the model's name; None for another folder."""
    folder = folder.resolve()
    run_dir = folder.parent.parent
    config = _run_config(run_dir) if folder.parent.name == _EXPORT and folder.name.isdigit() else None
    return None if config is None else (run_dir, _name(config, run_dir, int(folder.name)))


def export(checkpoint: Checkpoint, say: Callable[[str], None]) -> Path:
    """The checkpoint as a Hugging Face model, in the type of the run's rollouts; made on the first call, then found.

    Raises:
        UserError: the run directory cannot be written, or the checkpoint holds LoRA adapters.
        EvaluationFailedError: verl's merger failed; the message has its last lines.
    """
    target = checkpoint.run_dir / _EXPORT / str(checkpoint.step)
    if target.is_dir():
        return target
    if (checkpoint.folder / "actor" / "lora_train_meta.json").is_file():
        raise UserError(
            f"--model {checkpoint.run_dir} is a run of LoRA adapters: merge them with peft and write the merged model."
        )
    say(f"exporting step {checkpoint.step} of {checkpoint.run_dir} in {checkpoint.dtype}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if not target.is_dir():
                _merge(checkpoint, target)
    except OSError as error:
        raise UserError(
            f"--model {checkpoint.run_dir} cannot be exported to {target} ({error.strerror or error}): free some room."
        ) from error
    return target


def _merge(checkpoint: Checkpoint, target: Path) -> None:
    # The lock is held, so a leftover of this name belongs to nobody.
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = [sys.executable, "-m", "gmpo_verl.evaluation.merge_shards"]
    # A process of its own: it imports verl, and gives the memory of a whole model back.
    result = subprocess.run(
        [*command, str(os.getpid()), str(checkpoint.folder / "actor"), str(partial), checkpoint.dtype],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode != 0:
        shutil.rmtree(partial, ignore_errors=True)
        last = "\n".join(result.stdout.strip().splitlines()[-_LOG_LINES:])
        if "No space left on device" in result.stdout:
            raise OSError(28, "No space left on device")
        raise EvaluationFailedError(f"{checkpoint.folder} cannot be merged into a model:\n{last}")
    os.replace(partial, target)


def _name(config: dict[str, Any], run_dir: Path, step: int) -> str:
    base = str(config["actor_rollout_ref"]["model"]["path"]).rstrip("/").rpartition("/")[2]
    return f"{base} {run_dir.name} step {step}"


def _run_config(folder: Path) -> dict[str, Any] | None:
    """The configuration of a run directory of ours; None where the folder is none."""
    try:
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return config if isinstance(config, dict) and {"run_dir", "actor_rollout_ref", "trainer"} <= config.keys() else None
