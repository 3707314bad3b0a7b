"""What a run would do, in a few lines, without doing it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from omegaconf import DictConfig

from gmpo_verl.data.embedded import is_embedded
from gmpo_verl.trainer.preflight import data as data_files
from gmpo_verl.trainer.preflight import devices, model
from gmpo_verl.trainer.preflight.absent import Absent
from gmpo_verl.trainer.preflight.batches import data_parallel_size, rollout_gpus, world_size
from gmpo_verl.trainer.preflight.memory_estimate import micro_batch_tokens
from gmpo_verl.trainer.preflight.memory_report import memory_lines
from gmpo_verl.trainer.preflight.prepared_sets import known_problems
from gmpo_verl.trainer.ray_cluster import names_a_cluster
from gmpo_verl.trainer.run_dir import inspect_run_dir


def describe(config: DictConfig) -> str:
    """A report on a configuration that `check` has found nothing wrong with; each line a subject.

    Raises:
        UserError: from the run directory.
    """
    run, rounds = inspect_run_dir(config), planned_rounds(config)
    lines = {
        **_work(config),
        "workers": _workers(config),
        **memory_lines(config, rounds),
        "length": _length(config, rounds),
        "saves": _every(config.trainer.save_freq) + f", in {config.trainer.default_local_dir}",
        "validates": _every(config.trainer.test_freq),
        "run directory": run.message,
    }
    width = max(len(name) for name in lines)
    report = [f"{name:<{width}}  {text}" for name, text in lines.items()]
    unchecked = list(dict.fromkeys(left_out(config)))
    if unchecked:
        report += ["not checked here:", *(f"  - {what}" for what in unchecked)]
    return "\n".join(report)


def _work(config: DictConfig) -> dict[str, str]:
    actor, rollout, data = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout, config.data
    a_round, a_step = data.train_batch_size * rollout.n, actor.ppo_mini_batch_size * rollout.n
    longest, ranks = data.max_prompt_length + data.max_response_length, data_parallel_size(config)
    log_space = " (log space)" if actor.policy_loss.loss_mode in ("gmpo", "geo_mean") else ""
    return {
        "loss": f"{actor.policy_loss.loss_mode}, advantages {config.algorithm.adv_estimator}, "
        f"window {actor.clip_ratio_low} and {actor.clip_ratio_high}{log_space}",
        "model": config.actor_rollout_ref.model.path,
        "training data": f"{_names(config, 'data.train_files')}, {_problems(config)}",
        "validation data": f"{_names(config, 'data.val_files')}, {rollout.val_kwargs.n} responses a problem",
        "round": f"{data.train_batch_size} prompts x {rollout.n} responses = {a_round} responses, "
        f"{a_round * longest:,} tokens at most",
        "optimizer": f"{_updates(config)} steps a round of {a_step} responses, learning rate {actor.optim.lr}",
        "a rank": f"{a_round // ranks} responses a round, {a_step // ranks} a step, in micro-batches of "
        f"{micro_batch_tokens(config):,} tokens at most",
    }


def _updates(config: DictConfig) -> int:
    """Optimizer steps a round."""
    actor = config.actor_rollout_ref.actor
    return int(-(-config.data.train_batch_size // actor.ppo_mini_batch_size) * actor.ppo_epochs)


def _workers(config: DictConfig) -> str:
    trainer, beside = config.trainer, rollout_gpus(config)
    nodes = f" ({trainer.nnodes} nodes x {trainer.n_gpus_per_node})" if trainer.nnodes > 1 else ""
    own = f" on {beside} of their own" if beside else ""
    rollouts = f"rollouts by {config.actor_rollout_ref.rollout.name}{own}"
    return f"{world_size(config)} on {trainer.device}{nodes}, {rollouts}, {trainer.v1.trainer_mode}"


def _length(config: DictConfig, rounds: int | None) -> str:
    if rounds is None:
        return "an unknown number of rounds"
    responses = config.data.train_batch_size * config.actor_rollout_ref.rollout.n
    return f"{rounds} rounds, {rounds * _updates(config):,} optimizer steps, {rounds * responses:,} responses"


def planned_rounds(config: DictConfig) -> int | None:
    """How many rounds the run has; None where nothing says how many problems there are."""
    if config.trainer.total_training_steps is not None:
        return int(config.trainer.total_training_steps)
    rows = data_files.training_rows(config)
    if rows is None:
        rows = known_problems(data_files.file_names(config, "data.train_files"))
    return None if rows is None else rows // config.data.train_batch_size * config.trainer.total_epochs


def left_out(config: DictConfig) -> Iterator[str]:
    """What could not be checked, because it is not on this machine."""
    if names_a_cluster(config):
        yield "the Ray cluster: its GPUs were not counted"
    yield from _absent(devices.check(config))
    path = config.actor_rollout_ref.model.path
    if not is_embedded(path) and model.local_file(path, "config.json") is None:
        yield model.left_out(path)  # no finding where a run would download it
    yield from _absent(model.check(config))
    yield from _absent(data_files.check(config))


def _absent(findings: Iterable[str]) -> Iterator[str]:
    return (finding.left_out for finding in findings if isinstance(finding, Absent))


def _problems(config: DictConfig) -> str:
    rows = data_files.training_rows(config)
    if rows is not None:
        return f"{rows:,} problems at most"
    known = known_problems(data_files.file_names(config, "data.train_files"))
    return "an unknown number of problems" if known is None else f"about {known:,} problems"


def _names(config: DictConfig, key: str) -> str:
    files = data_files.file_names(config, key)
    folders = {Path(name).parent for name in files}
    if len(files) > 1 and len(folders) == 1:
        return f"{folders.pop()} ({', '.join(Path(name).stem for name in files)})"
    return ", ".join(files)


def _every(frequency: int) -> str:
    return f"every {frequency} rounds and at the end" if frequency > 0 else "never"
