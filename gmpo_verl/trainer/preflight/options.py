"""Our own options: those at the top, the family's, and the embedded task's."""

import os
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gmpo_verl.config.nearest import suggestion
from gmpo_verl.config.plain import plain
from gmpo_verl.config.schema import RunOptions, check_family_options
from gmpo_verl.data.arithmetic.settings import ArithmeticTask
from gmpo_verl.data.embedded import NAMES, OPTIONS, SCHEME, is_embedded
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


def embedded_task(config: DictConfig) -> ArithmeticTask | None:
    """The embedded task where the configuration uses a valid one, else None."""
    if not any(is_embedded(OmegaConf.select(config, option)) for option in OPTIONS):
        return None
    try:
        return ArithmeticTask(**_given(config))
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
            yield f"{option}={value} does not exist: write {option}={SCHEME}{fitting[0]}."
    if not used:
        return
    given = _given(config)
    known = set(ArithmeticTask.__dataclass_fields__)
    for name in sorted(set(given) - known):
        yield f"arithmetic.{name} is not an option: {suggestion(name, known)}"
    try:
        ArithmeticTask(**{name: value for name, value in given.items() if name in known})
    except UserError as error:
        # Its seed is the run's unless it is set by itself, and the run's is checked above.
        if not (str(error).startswith("arithmetic.seed=") and given.get("seed") == config.seed):
            yield str(error)
    except TypeError:
        yield "arithmetic has a value of the wrong type: write numbers, and true or false for arithmetic.worked_steps."


def _given(config: DictConfig) -> dict[str, Any]:
    node = config.get("arithmetic")
    return plain(node) if isinstance(node, DictConfig) else {}
