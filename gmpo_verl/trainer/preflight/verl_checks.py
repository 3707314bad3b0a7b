"""The last catch: verl's own validation, and the dataclasses that it makes of the configuration in its workers."""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gmpo_verl.errors import reason

_SECTIONS = (
    "actor_rollout_ref.actor",
    "actor_rollout_ref.rollout",
    "algorithm",
)


def check(config: DictConfig) -> Iterator[str]:
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import omega_conf_to_dataclass, validate_config

    found = False
    for key in _SECTIONS:
        for sentence in _refusal(key, partial(omega_conf_to_dataclass, OmegaConf.select(config, key))):
            found = True
            yield sentence
    if found:
        return

    def validate() -> None:
        validate_config(config, need_reference_policy(config), need_critic(config))

    yield from _refusal("this configuration", validate)


def _refusal(what: str, attempt: Callable[[], Any]) -> Iterator[str]:
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            attempt()
    # verl raises whatever fits the place; the workers would raise the same, so it is the user's to hear now.
    except Exception as error:
        yield f"verl refuses {what}: {_innermost(error)}."


def _innermost(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return reason(error)
