"""In which values a run's stored configuration and the one that is asked for differ."""

import dataclasses
from functools import cache
from typing import Any

# What may differ between a run and its continuation: what it is called and what is watched ...
_FREE_KEYS = {
    "run_dir",
    "dry_run",
    "trainer.max_restarts",
    "trainer.fork_workers",
    "trainer.kl_to_ref",
    "trainer.prune_zero_advantage",
    "trainer.save_freq",
    "trainer.test_freq",
    "trainer.keep_checkpoints",
    "trainer.logger",
    # ... and where it runs: the gradient does not depend on the number of ranks.
    "ray_kwargs",
    "trainer.nnodes",
    "trainer.n_gpus_per_node",
    "actor_rollout_ref.rollout.nnodes",
    "actor_rollout_ref.rollout.n_gpus_per_node",
}
# What may grow: asking for more of it extends the run.
GROWING_KEYS = ("trainer.total_training_steps", "trainer.total_epochs")
_MISSING = "(absent)"


def differences(stored: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """`key: stored -> asked` for every value in which two resolved configurations differ, free keys left out.

    An option that one of them lacks, as that of a run that an earlier version began, has its default there.
    """
    stored_leaves, asked_leaves = _comparable(stored), _comparable(asked)
    different = []
    for key in sorted(stored_leaves.keys() | asked_leaves.keys()):
        before, after = stored_leaves.get(key, _MISSING), asked_leaves.get(key, _MISSING)
        if before == after or (before == _MISSING and _is_default(key, after)):
            continue
        if after == _MISSING and _is_default(key, before):
            continue
        if key in GROWING_KEYS and _at_least(after, before):
            continue
        different.append(f"{key}: {before} -> {after}")
    return different


def _is_default(key: str, value: object) -> bool:
    return value is None or value == {} or value == _defaults().get(key, _MISSING)


@cache
def _defaults() -> dict[str, Any]:
    from gmpo_verl.data.arithmetic.settings import ArithmeticTask
    from gmpo_verl.trainer.preflight.values import reference

    embedded = {f"arithmetic.{field.name}": field.default for field in dataclasses.fields(ArithmeticTask)}
    return reference() | embedded


def _at_least(after: object, before: object) -> bool:
    return isinstance(after, int) and isinstance(before, int) and after >= before


def _comparable(config: dict[str, Any]) -> dict[str, Any]:
    """Leaves by dotted key, the free ones left out, paths inside the run directory written relative to it."""
    home = str(config.get("run_dir"))
    leaves: dict[str, Any] = {}

    def walk(node: Any, key: str) -> None:
        if key in _FREE_KEYS:
            return
        if isinstance(node, dict) and node:
            for name, child in node.items():
                walk(child, f"{key}.{name}" if key else str(name))
        else:
            leaves[key] = node.replace(home, "RUN_DIR") if isinstance(node, str) else node

    walk(config, "")
    return leaves
