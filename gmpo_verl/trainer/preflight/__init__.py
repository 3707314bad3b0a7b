"""Everything that would fail later, found before Ray starts: one sentence each, all of them at once.

Each module looks at one subject and yields a sentence a finding; a sentence names the option and what to write instead.
"""

from collections.abc import Callable, Iterable

from omegaconf import DictConfig

from gmpo_verl.trainer.preflight import (
    algorithm,
    batches,
    checkpoints,
    classes,
    context,
    data,
    devices,
    folders,
    model,
    names,
    objective,
    optimizer,
    options,
    resources,
    sampling,
    schedule,
    secrets,
    trainer_modes,
    values,
    verl_checks,
)
from gmpo_verl.trainer.preflight.absent import Absent
from gmpo_verl.trainer.preflight.dry_run import describe

__all__ = ["check", "describe"]

# Beside our own options, which need no verl; importing it takes seconds.
_CHECKS: tuple[Callable[[DictConfig], Iterable[str]], ...] = (
    names.check,
    classes.check,
    devices.check,
    resources.check,
    batches.check,
    algorithm.check,
    objective.check,
    sampling.check,
    optimizer.check,
    trainer_modes.check,
    schedule.check,
    model.check,
    context.check,
    data.check,
    folders.check,
    secrets.check,
    checkpoints.check,
)


def check(config: DictConfig, when_plausible: Callable[[DictConfig], None] = lambda config: None) -> list[str]:
    """Everything wrong with a composed configuration, in one sentence each; empty when it can run.

    Reads files that the configuration names and starts nothing. Values `embedded://...` stand for files that do not
    exist yet. A dry run plans for another machine: what is not on this one is no finding, `describe` lists it.

    Args:
        when_plausible: called with the configuration once every value is of a possible kind, before the checks that
            take seconds.
    """
    given = values.flatten(config)
    findings = list(values.missing_keys(given))
    if findings:
        return findings
    wrong = values.wrong_values(given)
    findings = [sentence for sentence, _ in wrong.values()]
    # The other subjects compute with these values; one impossible value must not hide what else is wrong.
    config = values.settled(config, {key: replacement for key, (_, replacement) in wrong.items()})
    findings += options.check(config)
    if not findings:
        when_plausible(config)
    for subject in _CHECKS:
        findings += subject(config)
    if all(isinstance(finding, Absent) for finding in findings):
        findings += verl_checks.check(config)
    if config.dry_run:
        findings = [finding for finding in findings if not isinstance(finding, Absent)]
    return list(dict.fromkeys(findings))
