"""Hydra's own flags: which we pass on, which we refuse, and printing with them."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import hydra
from omegaconf import DictConfig

from gmpo_verl.config.nearest import one_of, suggestion
from gmpo_verl.errors import UserError

_CFG_CHOICES = ("job", "hydra", "all")
_INFO_CHOICES = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
_LONG_NAMES = {"-h": "--help", "-c": "--cfg", "-p": "--package", "-i": "--info", "-cd": "--config-dir"} | {
    "-sc": "--shell-completion",
    "-r": "--run",
    "-m": "--multirun",
    "-cp": "--config-path",
    "-cn": "--config-name",
}
# What does the printing; hydra takes one of them at a time.
_COMMANDS = ("--help", "--hydra-help", "--version", "--cfg", "--info", "--shell-completion")
_WITH_VALUE = ("--cfg", "--package", "--config-dir")
_PASSED_ON = (*_COMMANDS, "--resolve", "--package")
_REFUSED = {
    "--multirun": "would start several runs from one command: start one command a run, each with its own run_dir.",
    "--run": "is what happens anyway: leave it out.",
    "--config-path": "would replace this package's configuration: add a folder of your own with --config-dir DIR.",
    "--config-name": "would replace this package's configuration: add a folder of your own with --config-dir DIR.",
    "--experimental-rerun": "is not supported: repeat the command with the same run_dir, which resumes.",
}

_HELP_TEMPLATE = """Trains a language model with GMPO and its relatives through verl.

== Groups ==
Choose one of each (group=option)

{groups}

== Configuration ==
Override anything in it (key=value); what a recipe needs and gives stands in recipes/README.md

$CONFIG
== Flags ==
--cfg job [--resolve] prints the configuration, --config-dir DIR adds a folder of your own, --hydra-help shows the rest.
"""


@dataclass
class Arguments:
    """A command line, taken apart: hydra's flags, the overrides, and a folder to search for group options."""

    flags: list[str] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)
    config_dir: Path | None = None

    @property
    def prints_only(self) -> bool:
        """Whether hydra is to print something and nothing is to be trained."""
        return bool(self.flags)


def split_arguments(arguments: Sequence[str]) -> Arguments:
    """Take a command line apart.

    Raises:
        UserError: for a flag that is unknown or refused, or that lacks its value.
    """
    result = Arguments()
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("-"):
            result.overrides.append(argument)
            continue
        given, _, value = argument.partition("=")
        name = _LONG_NAMES.get(given, given)
        if name in _REFUSED:
            raise UserError(f"{given} {_REFUSED[name]}")
        if name not in (*_PASSED_ON, "--config-dir"):
            raise UserError(f"{given} is not a flag: {suggestion(given, (*_PASSED_ON, '--config-dir'))}")
        if name in _WITH_VALUE and not value:
            if not rest or rest[0].startswith("-"):
                raise UserError(f"{given} needs a value: write {name}={'job' if name == '--cfg' else 'VALUE'}.")
            value = rest.pop(0)
        elif name == "--info" and not value:
            value = rest.pop(0) if rest and rest[0] in _INFO_CHOICES else "all"
        _check_choice(name, value)
        if name == "--config-dir":
            result.config_dir = _existing_folder(value)
        else:
            result.flags.append(f"{name}={value}" if value else name)
    commands = [flag for flag in result.flags if flag.partition("=")[0] in _COMMANDS]
    if len(commands) > 1:
        raise UserError(f"{' and '.join(commands)} cannot be asked for together: leave out all but one.")
    if result.flags and not commands:
        raise UserError(f"{result.flags[0]} does nothing by itself: add --cfg=job.")
    return result


def _check_choice(name: str, value: str) -> None:
    for flag, choices in (("--cfg", _CFG_CHOICES), ("--info", _INFO_CHOICES)):
        if name == flag and value not in choices:
            raise UserError(f"{flag}={value} is not possible: write {flag}={one_of(choices)}.")


def _existing_folder(value: str) -> Path:
    folder = Path(value).expanduser().resolve()
    if not folder.is_dir():
        raise UserError(f"--config-dir={value} is not a folder: name one that holds, say, recipe/NAME.yaml.")
    return folder


def print_with_hydra(arguments: Arguments, config_dir: Path, config_name: str, groups: dict[str, list[str]]) -> None:
    """Let hydra print what its flags ask for; nothing runs, so hydra makes no folder of its own."""
    listed = "\n".join(f"{group}: {', '.join(options)}" for group, options in groups.items())
    # Hydra's own template would list the options of verl's groups of the same names as if they were ours.
    template = _HELP_TEMPLATE.format(groups=listed).replace('"', '\\"')

    @hydra.main(version_base=None, config_path=str(config_dir), config_name=config_name)
    def print_only(config: DictConfig) -> None:
        raise AssertionError("hydra was given no command to print with")

    extra = [f"--config-dir={arguments.config_dir}"] if arguments.config_dir else []
    if "--help" in arguments.flags:
        extra.append(f'hydra.help.template="{template}"')
    command_line = sys.argv
    sys.argv = [command_line[0], *arguments.overrides, *extra, *arguments.flags]
    try:
        print_only()
    finally:
        sys.argv = command_line
