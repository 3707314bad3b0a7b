"""The driver process of a run: compose, preflight, make the embedded task's files, start Ray, train.

Started by the parent of `gmpo_verl.main_ppo`, which watches over it; ends with 0, 2 (the user's mistake), 75 (saved and
stopped before the last step, as it was asked to) or 1.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmpo_verl.errors import UserError, named_reason
from gmpo_verl.files import free_name
from gmpo_verl.supervisor import save_request
from gmpo_verl.supervisor.ending import SAVED_AND_STOPPED
from gmpo_verl.trainer import status
from gmpo_verl.trainer.forked_workers import start_early
from gmpo_verl.trainer.loggers import continue_loggers
from gmpo_verl.trainer.planned_rounds import planned_rounds
from gmpo_verl.trainer.ray_cluster import (
    before_ray_is_imported,
    cluster_address,
    names_a_cluster,
    prepare_environment,
    ray_init_arguments,
)

if TYPE_CHECKING:
    from gmpo_verl.trainer.run_dir import RunDir


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; the exit code."""
    from gmpo_verl.supervisor.prctl import die_with_parent

    die_with_parent()
    status.take_pipe()
    try:
        return _main(arguments)
    except UserError as error:
        print(f"gmpo_verl: {error}", file=sys.stderr)
        return 2


def _main(arguments: Sequence[str]) -> int:
    from gmpo_verl.config.compose import compose, prints_only, run_hydra_flags

    if prints_only(arguments):
        run_hydra_flags(arguments)
        return 0
    config = compose(arguments)
    before_ray_is_imported(config)

    from gmpo_verl.trainer.joined_cluster import check_cluster
    from gmpo_verl.trainer.preflight import check, describe
    from gmpo_verl.trainer.run_dir import inspect_run_dir, open_run_dir

    findings = check(config, when_plausible=_start_early)
    if findings:
        raise UserError("\n".join(["this configuration cannot run:", *(f"  - {finding}" for finding in findings)]))
    if config.dry_run:
        print(describe(config))
        return 0
    if names_a_cluster(config) and not inspect_run_dir(config, arguments).finished_message:
        check_cluster(config)
    run_dir = open_run_dir(config, arguments)
    if run_dir.finished_message:
        print(run_dir.finished_message)
        return 0

    return _run(config, run_dir)


def _start_early(config: Any) -> None:
    """What can go on while the configuration is checked: nothing of it outlives this process."""
    prepare_environment(config)
    start_early(config)


def _run(config: Any, run_dir: "RunDir") -> int:
    """Everything from the run directory on; what goes wrong from here is a failure and no mistake of the user's."""
    from gmpo_verl.data.embedded import resolve_embedded
    from gmpo_verl.trainer.checkpoints.markers import newest_complete
    from gmpo_verl.trainer.guards import TrainingStoppedError
    from gmpo_verl.trainer.run_dir import start_from, write_summary

    for sentence in run_dir.resume_point.skipped:
        print(f"gmpo_verl: {sentence}", file=sys.stderr)
    continue_loggers(run_dir.logs)
    resolve_embedded(config)
    make_files_absolute(config)
    begins_after = start_from(run_dir, config)
    total_steps = total_training_steps(config)
    save_request.forget(run_dir.path)
    log = free_name(run_dir.logs / "driver.log")
    status.notify(
        "run",
        run_dir=str(run_dir.path),
        total_steps=total_steps,
        first_step=begins_after + 1,
        max_restarts=config.trainer.max_restarts,
        log_name=log.name,
    )
    _redirect_output(log)
    try:
        train(config)
        trained = write_summary(run_dir)["last_step"]
        total_steps = planned_rounds(run_dir.path) or total_steps
        if total_steps is not None and trained < total_steps:
            if save_request.is_asked(run_dir.path) and newest_complete(run_dir.checkpoints) == trained:
                status.notify("saved", step=trained)
                return SAVED_AND_STOPPED
            raise RuntimeError(f"training ended after step {trained} of the {total_steps} asked for")
        run_dir.mark_finished(trained)
    except BaseException as error:
        traceback.print_exc()
        cause = innermost(error)
        status.notify("error", message=named_reason(cause), stopped_itself=isinstance(cause, TrainingStoppedError))
        return 1
    else:
        status.notify("finished")
        return 0
    finally:
        save_request.forget(run_dir.path)
        # After the event: what dies from here on is no cause.
        _stop_ray()


def train(config: Any) -> None:
    """Start Ray and verl's loop; returns when the asked-for steps are done."""
    address = cluster_address(config)
    if address:
        status.notify("stage", text=f"joining the Ray cluster at {address}, starting FSDP2 workers and vLLM servers")
    else:
        status.notify("stage", text="starting Ray, the FSDP2 workers and the vLLM server")

    from omegaconf import OmegaConf, open_dict
    from verl.trainer.main_ppo import run_ppo

    from gmpo_verl.plugin import check_registered
    from gmpo_verl.trainer.task_runner import RemoteTaskRunner

    check_registered()
    OmegaConf.resolve(config)
    with open_dict(config):
        config.ray_kwargs.ray_init = ray_init_arguments(config)
    run_ppo(config, task_runner_class=RemoteTaskRunner)


def _stop_ray() -> None:
    import ray

    ray.shutdown()


def make_files_absolute(config: Any) -> None:
    """Data files by their whole path: a worker on another node stands in another folder."""
    from gmpo_verl.trainer.preflight.data import absolute, file_names

    for key in ("train_files", "val_files"):
        names = [absolute(name) for name in file_names(config, f"data.{key}")]
        config.data[key] = names if len(names) > 1 else next(iter(names), None)


def total_training_steps(config: Any) -> int | None:
    """The steps that verl will do at most: asked for, or full epochs over the training rows; None where these are far.

    Prompts that `data.filter_overlong_prompts` leaves out can make it fewer, which verl's trainer alone knows.
    """
    if config.trainer.total_training_steps is not None:
        return int(config.trainer.total_training_steps)
    from gmpo_verl.trainer.preflight.data import training_rows

    rows = training_rows(config)
    return None if rows is None else rows // config.data.train_batch_size * config.trainer.total_epochs


def _redirect_output(log: Path) -> None:
    """From here on this process and its children write to the log; the parent shows progress on the terminal."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)


def innermost(error: BaseException) -> BaseException:
    """What a chain of Ray's wrappers is about."""
    while isinstance(cause := getattr(error, "cause", None), BaseException):
        error = cause
    return error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
