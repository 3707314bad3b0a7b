"""A run's directory: whose it is, whether it resumes, and what stands in it.

- config.yaml: the resolved configuration, which makes the directory ours
- metrics.jsonl: one line a step
- finished.json: written last, once the run has trained what was asked
- summary.json: accuracy before and after
- checkpoints/ (`checkpoints/`), rollouts/, validation/, logs/
"""

import fcntl
import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

import yaml
from omegaconf import DictConfig

from gmpo_verl.config.plain import plain
from gmpo_verl.errors import UserError
from gmpo_verl.files import write_atomically
from gmpo_verl.trainer.checkpoints import resume_point
from gmpo_verl.trainer.checkpoints.markers import folder_of, saved_steps, step_of
from gmpo_verl.trainer.checkpoints.resume_point import ResumePoint
from gmpo_verl.trainer.config_differences import GROWING_KEYS, differences
from gmpo_verl.trainer.run_metrics import cut_metrics, metrics_rows

__all__ = [
    "RunDir",
    "cut_metrics",
    "inspect_run_dir",
    "metrics_rows",
    "open_run_dir",
    "start_from",
    "write_summary",
]

_MAX_DIFFERENCES = 5
_OURS = ("run_dir", "seed", "actor_rollout_ref", "trainer")


@dataclass
class RunDir:
    """A run's directory and what is to happen in it."""

    path: Path
    state: Literal["new", "resume", "finished"]
    checkpoints: Path
    resume_point: ResumePoint = field(default_factory=ResumePoint)  # of its own checkpoints
    message: str = ""  # for the user: what happens, and for a finished run the command that extends it
    _lock: IO[str] | None = field(default=None, repr=False)

    @property
    def resumed_step(self) -> int:
        """Of the newest whole checkpoint of its own; 0 where there is none."""
        return self.resume_point.step

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def finished(self) -> Path:
        return self.path / "finished.json"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def rollouts(self) -> Path:
        return self.path / "rollouts"

    @property
    def validation(self) -> Path:
        return self.path / "validation"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def finished_message(self) -> str:
        """What to tell the user where nothing is left to train, else empty."""
        return self.message if self.state == "finished" else ""

    def mark_finished(self, step: int) -> None:
        """Say that the run has trained what was asked, up to `step`; the last thing that a run writes."""
        write_atomically(self.finished, json.dumps({"step": step}) + "\n")


def inspect_run_dir(config: DictConfig, arguments: Sequence[str] = ()) -> RunDir:
    """Decide what a run directory is to be used for, without writing anything.

    Args:
        config: the composed configuration.
        arguments: the command line, for the command that extends a finished run.

    Raises:
        UserError: the directory holds other files, or a run of another configuration.
    """
    path = Path(config.run_dir).expanduser().absolute()
    checkpoints = Path(config.trainer.default_local_dir or path / "checkpoints").expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise UserError(f"run_dir={path} is a file: name a folder that does not exist yet.")
    if not _has_files(path):
        if saved_steps(checkpoints):
            raise UserError(
                f"trainer.default_local_dir={checkpoints} holds checkpoints of another run: name another folder."
            )
        return RunDir(path, "new", checkpoints, message=f"a new run in {path}")
    _refuse_another_run(path, config)
    run = RunDir(path, "resume", checkpoints)
    run.resume_point = resume_point.find(checkpoints, run.metrics)
    if run.finished.is_file() and not _asks_for_more(run, config):
        run.state = "finished"
        run.message = f"{path} is finished. {_how_to_extend(run, config, arguments)}"
    elif run.resumed_step:
        run.message = f"resuming {path} after step {run.resumed_step}"
    else:
        run.message = f"{path} has no complete checkpoint and begins anew"
    return run


def open_run_dir(config: DictConfig, arguments: Sequence[str] = ()) -> RunDir:
    """Make or reopen a run's directory: configuration written, later metrics cut off, locked against a second run.

    A finished run is left as it is; the caller prints `message` and ends.

    Raises:
        UserError: as `inspect_run_dir`; or another process trains in it, or it cannot be written.
    """
    run = inspect_run_dir(config, arguments)
    if run.state == "finished":
        return run
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        run._lock = _lock(run.path)
        write_atomically(run.config, yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True))
        for folder in (run.checkpoints, run.rollouts, run.validation, run.logs):
            folder.mkdir(parents=True, exist_ok=True)
        run.finished.unlink(missing_ok=True)
        if run.state == "resume":
            # Once more: until it let go of the lock another process may have trained here.
            run.resume_point = resume_point.find(run.checkpoints, run.metrics)
            resume_point.clear(run.checkpoints, run.metrics, run.resume_point)
            # Without a checkpoint it begins anew, validation at step 0 included.
            cut_metrics(run.metrics, run.resumed_step or -1)
            for folder in (run.rollouts, run.validation):
                _cut_dumps(folder, run.resumed_step or -1)
    except OSError as error:
        raise UserError(f"run_dir={run.path} cannot be written ({error.strerror}): name another folder.") from error
    return run


def start_from(run: RunDir, config: DictConfig) -> int:
    """Tell verl where to save and where to begin, whatever its own notes say; the step before the first one.

    It begins from the run's own newest checkpoint; else from that of another run which `trainer.resume_from_path`
    names; else from nothing.
    """
    trainer = config.trainer
    trainer.default_local_dir = str(run.checkpoints)  # a worker on another node stands in another folder
    if run.resumed_step:
        trainer.resume_from_path = str(folder_of(run.checkpoints, run.resumed_step))
        trainer.val_before_train = False  # that step's validation stands in the metrics already
    elif trainer.resume_mode == "resume_path":
        trainer.resume_from_path = str(Path(trainer.resume_from_path).expanduser().absolute())
    else:
        trainer.resume_mode = "disable"
        return 0
    trainer.resume_mode = "resume_path"
    return step_of(Path(trainer.resume_from_path)) or 0


def write_summary(run: RunDir) -> dict[str, Any]:
    """Write `summary.json` and return it: the last step, each validation accuracy at its first and last measurement."""
    rows = list(metrics_rows(run.metrics))
    validation: dict[str, dict[str, float]] = {}
    for row in rows:
        for name, value in row["data"].items():
            if name.startswith("val-core/") and isinstance(value, int | float):
                entry = validation.setdefault(name, {"first_step": row["step"], "first": value})
                entry |= {"last_step": row["step"], "last": value}
    summary = {
        "last_step": max((row["step"] for row in rows), default=0),
        "validation": validation,
        "metrics": str(run.metrics),
        "checkpoints": str(run.checkpoints),
    }
    write_atomically(run.summary, json.dumps(summary, indent=2) + "\n")
    return summary


def _has_files(path: Path) -> bool:
    """Whether anything stands there but empty folders and the lock, which a run leaves that ended before it began."""
    if not path.is_dir():
        return False
    return any(name != ".lock" for _, _, names in os.walk(path) for name in names)


def _lock(path: Path) -> IO[str]:
    """Hold the directory for this process; the system lets go of it when the process ends, however it ends."""
    file = (path / ".lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip()
        file.close()
        raise UserError(
            f"run_dir={path} is in use by process {owner or 'unknown'}: wait for its end, or name another folder."
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _refuse_another_run(path: Path, config: DictConfig) -> None:
    try:
        stored = yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        stored = None
    if not isinstance(stored, dict) or any(key not in stored for key in _OURS):
        raise UserError(f"run_dir={path} holds files that are not of a run: name a folder that is new or empty.")
    free = GROWING_KEYS if (path / "finished.json").is_file() else ()
    different = [text for text in differences(stored, plain(config)) if text.partition(":")[0] not in free]
    if different:
        shown = ", ".join(different[:_MAX_DIFFERENCES])
        more = f" and {len(different) - _MAX_DIFFERENCES} more" if len(different) > _MAX_DIFFERENCES else ""
        raise UserError(
            f"run_dir={path} belongs to a run of another configuration ({shown}{more}): "
            "name another folder, or set these back."
        )


def _asks_for_more(run: RunDir, config: DictConfig) -> bool:
    """Whether more is asked for than a finished run has trained."""
    stored = yaml.safe_load(run.config.read_text(encoding="utf-8"))
    asked = config.trainer.total_training_steps
    if asked is None:
        return config.trainer.total_epochs > stored["trainer"]["total_epochs"]
    return asked > _finished_step(run)


def _finished_step(run: RunDir) -> int:
    try:
        return int(json.loads(run.finished.read_text(encoding="utf-8"))["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _how_to_extend(run: RunDir, config: DictConfig, arguments: Sequence[str]) -> str:
    step = _finished_step(run)
    kept = [text for text in arguments if not text.startswith(("trainer.total_training_steps=", "run_dir="))]
    extended = [f"run_dir={run.path}", f"trainer.total_training_steps={2 * step}"]
    command = shlex.join(["python", "-m", "gmpo_verl.main_ppo", *(kept or ["algorithm=gmpo"]), *extended])
    return f"It trained {step} steps; to train it further: {command}"


def _cut_dumps(folder: Path, last_step: int) -> None:
    """Remove the answers of later steps, `<step>.jsonl`, which will be given anew."""
    for file in folder.glob("*.jsonl"):
        if file.stem.isdecimal() and int(file.stem) > last_step:
            file.unlink()
