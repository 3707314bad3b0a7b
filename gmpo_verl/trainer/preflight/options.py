"""Our own options: those at the top, the family's, and the embedded tasks'."""

import os
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gmpo_verl.config.nearest import suggestion
from gmpo_verl.config.plain import plain
from gmpo_verl.config.schema import RunOptions, check_family_options
from gmpo_verl.data.embedded import NAMES, OPTIONS, SCHEME, TASKS, is_embedded, task_name
from gmpo_verl.data.embedded_task import EmbeddedTask
from gmpo_verl.errors import UserError
from gmpo_verl.trainer.forked_workers import why_not

_CHOICES = {
    "kl_to_ref": (True, False),
    "prune_zero_advantage": (True, False, "auto"),
    "fork_workers": (True, False, "auto"),
}
_TOP = ("seed", "run_dir", "dry_run", "trainer.max_restarts")


def check(config: DictConfig) -> Iterator[str]:
    good = {"seed": 0, "run_dir": "unused", "dry_run": False, "max_restarts": 0}
    for key in _TOP:
        name = key.rpartition(".")[2]
        try:
            RunOptions(**{**good, name: OmegaConf.select(config, key)})
        except UserError as error:
            yield str(error)
    loss = config.actor_rollout_ref.actor.policy_loss
    yield from check_family_options(
        loss.get("mean_exponent", 0.0),
        loss.get("clip_level", "token"),
        loss.get("length_norm", True),
        loss.get("mean_exponent_end"),
        loss.get("mean_exponent_rounds"),
    )
    yield from _trainer(config.trainer)
    weight = config.reward.reward_kwargs.thinking_weight
    if not 0 <= weight <= 1:
        yield f"reward.reward_kwargs.thinking_weight={weight} is not a share: write a number from 0 to 1."
    if config.trainer.fork_workers is True and (reason := why_not(config)):
        yield f"trainer.fork_workers=true is not possible because of {reason}: write auto or false."
    graders = os.environ.get("GMPO_GRADERS", "1")
    if not graders.isdigit() or int(graders) < 1:
        yield f"GMPO_GRADERS={graders} in the environment is not possible: write a whole number of at least 1."
    yield from _embedded(config)


def _trainer(trainer: DictConfig) -> Iterator[str]:
    for name, values in _CHOICES.items():
        value = trainer[name]
        if not any(value is allowed or value == allowed == "auto" for allowed in values):
            yield f"trainer.{name}={value} is not possible: write {', '.join(map(str, values)).lower()}."


def embedded_task(config: DictConfig) -> EmbeddedTask | None:
    """The embedded task of the training data, else of the model or the validation data; None without a valid one."""
    values = (OmegaConf.select(config, option) for option in ("data.train_files", *OPTIONS))
    name = next((task_name(value) for value in values if is_embedded(value)), None)
    if name not in TASKS:
        return None
    try:
        return TASKS[name](**_given(config, name))
    except (UserError, TypeError):
        return None


def _embedded(config: DictConfig) -> Iterator[str]:
    used = {option: value for option in OPTIONS if is_embedded(value := OmegaConf.select(config, option))}
    for option, value in used.items():
        expected = {
            "actor_rollout_ref.model.path": "model",
            "data.train_files": "train",
            "data.val_files": "validation",
        }
        fitting = [name for name, part in NAMES.items() if part == expected[option]]
        if value.removeprefix(SCHEME) not in fitting:
            close = next((name for name in fitting if task_name(SCHEME + name) == task_name(value)), fitting[0])
            yield f"{option}={value} does not exist: write {option}={SCHEME}{close}."
    for name in sorted({task_name(value) for value in used.values()} & set(TASKS)):
        yield from _settings(config, name)


def _settings(config: DictConfig, name: str) -> Iterator[str]:
    """What is wrong with the options of one embedded task."""
    task, given = TASKS[name], _given(config, name)
    known = {field.name for field in fields(task)}
    for option in sorted(set(given) - known):
        yield f"{name}.{option} is not an option: {suggestion(option, known)}"
    try:
        task(**{option: value for option, value in given.items() if option in known})
    except UserError as error:
        # Its seed is the run's unless it is set by itself, and the run's is checked above.
        if not (str(error).startswith(f"{name}.seed=") and given.get("seed") == config.seed):
            yield str(error)
    except TypeError:
        yield f"{name} has a value of the wrong type: write numbers, and true or false for {name}.worked_steps."


def _given(config: DictConfig, name: str) -> dict[str, Any]:
    node = config.get(name)
    return plain(node) if isinstance(node, DictConfig) else {}
