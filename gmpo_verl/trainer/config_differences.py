"""In which values a run's stored configuration and the one that is asked for differ."""

from typing import Any

# What may differ between a run and its continuation.
_FREE_KEYS = ("run_dir", "dry_run", "trainer.max_restarts", "trainer.kl_to_ref", "trainer.prune_zero_advantage")
# What may grow: asking for more of it extends the run.
GROWING_KEYS = ("trainer.total_training_steps", "trainer.total_epochs")
_MISSING = "(absent)"


def differences(stored: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """`key: stored -> asked` for every value in which two resolved configurations differ, free keys left out."""
    stored_leaves, asked_leaves = _comparable(stored), _comparable(asked)
    different = []
    for key in sorted(stored_leaves.keys() | asked_leaves.keys()):
        before, after = stored_leaves.get(key, _MISSING), asked_leaves.get(key, _MISSING)
        if before == after:
            continue
        if key in GROWING_KEYS and _at_least(after, before):
            continue
        different.append(f"{key}: {before} -> {after}")
    return different


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
