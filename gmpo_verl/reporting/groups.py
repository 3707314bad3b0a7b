"""Runs of one configuration that differ in their seed alone belong together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gmpo_verl.reporting.naming import labels_of
from gmpo_verl.reporting.run import Run
from gmpo_verl.reporting.text import displayable

ABSENT = "(absent)"
# What may differ between seeds of one configuration: where it writes, what it is called, how it is launched.
_FREE = ("run_dir", "dry_run", "trainer.max_restarts", "trainer.fork_workers")
_FREE_ENDS = ("_seed", "experiment_name")


@dataclass
class Group:
    """Runs that differ in their seed alone; most often one."""

    label: str
    runs: list[Run] = field(default_factory=list)


@dataclass(frozen=True)
class Difference:
    """A configuration key in which groups differ, with the value of each group."""

    key: str
    values: tuple[str, ...]


def leaves(config: dict[str, Any]) -> dict[str, str]:
    """Values by dotted key, as text; seeds, names and paths of the run itself left out."""
    home = str(config.get("run_dir") or "")
    found: dict[str, str] = {}

    def walk(node: Any, key: str) -> None:
        if isinstance(node, dict) and node:
            for name, child in node.items():
                walk(child, f"{key}.{name}" if key else str(name))
        elif key and not _is_free(key):
            text = str(node)
            found[displayable(key)] = displayable(text.replace(home, "RUN_DIR") if home else text)

    walk(config, "")
    return found


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Groups in the order in which their first runs were named; a run without a configuration stands alone."""
    groups: list[Group] = []
    known: dict[tuple[tuple[str, str], ...], Group] = {}
    for run in runs:
        identity = tuple(sorted(leaves(run.config).items()))
        group = known.get(identity) if identity else None
        if group is None:
            group = Group("")
            groups.append(group)
            if identity:
                known[identity] = group
        group.runs.append(run)
    labels = labels_of([group.runs[0] for group in groups])
    for group, label in zip(groups, labels, strict=True):
        group.label = label
    return groups


def config_differences(groups: Sequence[Group]) -> list[Difference]:
    """The keys in which the groups' configurations differ; groups without a configuration are left out of it."""
    known = [leaves(group.runs[0].config) for group in groups]
    if sum(map(bool, known)) < 2:
        return []
    differing = []
    for key in sorted(set().union(*known)):
        values = tuple(config.get(key, ABSENT) if config else "" for config in known)
        if len({value for value, config in zip(values, known, strict=True) if config}) > 1:
            differing.append(Difference(key, values))
    return differing


def _is_free(key: str) -> bool:
    last = key.rpartition(".")[2]
    return key in _FREE or last == "seed" or last.endswith(_FREE_ENDS)
