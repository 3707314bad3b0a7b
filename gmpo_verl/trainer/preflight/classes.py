"""Options that verl's closed dataclasses do not have: they would raise in a worker, minutes later."""

import dataclasses
import importlib
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig

from gmpo_verl.config.nearest import nearest, one_of
from gmpo_verl.config.plain import plain
from gmpo_verl.errors import reason
from gmpo_verl.trainer.preflight.values import verl_keys

_SECTION = "actor_rollout_ref"  # the others verl reads as they are, so that a key more does no harm


def check(config: DictConfig) -> Iterator[str]:
    yield from _walk(plain(config[_SECTION]), _SECTION)


def _walk(node: Any, key: str) -> Iterator[str]:
    if not isinstance(node, dict):
        return
    target = node.get("_target_")
    if isinstance(target, str):
        try:
            module, _, name = target.rpartition(".")
            known = {field.name for field in dataclasses.fields(getattr(importlib.import_module(module), name))}
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            yield f"{key}._target_={target} cannot be used ({reason(error)}): leave it as verl has it."
            return
        for name in node:
            # verl moves some of its own keys away before it makes the dataclass.
            if name not in known and not str(name).startswith("_") and f"{key}.{name}" not in verl_keys():
                close = nearest(str(name), known)
                meant = f"did you mean {one_of(f'{key}.{other}' for other in close)}?" if close else "leave it out."
                yield f"{key}.{name} is not an option of {target.rpartition('.')[2]}: {meant}"
    for name, child in node.items():
        yield from _walk(child, f"{key}.{name}")
