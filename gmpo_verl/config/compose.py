"""From a command line to a configuration, through hydra, with errors that fit in one sentence."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from gmpo_verl.config.hydra_flags import Arguments, print_with_hydra, split_arguments
from gmpo_verl.config.nearest import nearest, nearest_keys, one_of, suggestion
from gmpo_verl.config.plain import by_dotted_key
from gmpo_verl.errors import UserError, reason

CONFIG_DIR = Path(__file__).resolve().parent
PRIMARY_CONFIG = "gmpo_trainer"
GROUPS = ("algorithm", "recipe", "hardware")


def compose(arguments: Sequence[str]) -> DictConfig:
    """Compose the configuration of a run from its command line.

    Args:
        arguments: `group=option` and `key=value` as hydra reads them, and `--config-dir DIR`.

    Returns:
        The whole configuration, interpolations unresolved but checked to resolve.

    Raises:
        UserError: in one sentence, for whatever hydra refuses, with the nearest names.
    """
    return _compose(split_arguments(arguments))


def group_options(group: str, config_dir: Path | None = None) -> list[str]:
    """The options of one of our groups: this package's, and those of a folder that the user added."""
    folders = [CONFIG_DIR / group] + ([config_dir / group] if config_dir else [])
    return sorted({path.stem for folder in folders if folder.is_dir() for path in folder.glob("*.yaml")})


def prints_only(arguments: Sequence[str]) -> bool:
    """Whether the command line asks hydra to print (`--cfg job`, `--help`, ...) instead of training."""
    return split_arguments(arguments).prints_only


def run_hydra_flags(arguments: Sequence[str]) -> None:
    """Print what hydra's flags ask for, after checking the overrides beside them.

    Raises:
        UserError: for a wrong flag or override.
        SystemExit: with 0, from hydra, after `--help`.
    """
    split = split_arguments(arguments)
    if "--shell-completion" not in split.flags:
        _compose(split)
    print_with_hydra(split, CONFIG_DIR, PRIMARY_CONFIG, {g: group_options(g, split.config_dir) for g in GROUPS})


def _compose(arguments: Arguments) -> DictConfig:
    overrides = [_parse(text) for text in arguments.overrides]
    _check_groups(overrides, arguments.config_dir)
    folders = [verl_configs(), *([arguments.config_dir] if arguments.config_dir else [])]
    search_path = ",".join(f"'file://{folder}'" for folder in folders)
    texts = [*arguments.overrides, f"hydra.searchpath=[{search_path}]"]
    with hydra.initialize_config_dir(str(CONFIG_DIR), version_base=None):
        try:
            config = hydra.compose(PRIMARY_CONFIG, overrides=texts, return_hydra_config=True)
        except MissingConfigException as error:
            raise UserError(_missing_option(error)) from error
        except ConfigCompositionException as error:
            raise UserError(_wrong_key(overrides, error)) from error
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            raise UserError(f"The configuration cannot be composed: {reason(error)}.") from error
        try:
            _settle_hydra_choices(config)
            OmegaConf.to_container(config, resolve=True)
        except OmegaConfBaseException as error:
            where = getattr(error, "full_key", None) or "The configuration"
            raise UserError(
                f"{where} refers to something that does not exist or cannot be computed: {reason(error)}."
            ) from error
    if isinstance(config.get("run_dir"), str):
        # Absolute, so that it means the same folder in every process of the run.
        config.run_dir = str(Path(config.run_dir).expanduser().absolute())
    return config


def _settle_hydra_choices(config: DictConfig) -> None:
    """Replace `${hydra:...}` by its value and drop hydra's own node; other processes have no hydra to ask."""
    HydraConfig.instance().set_config(config)
    with flag_override(config, ["struct", "readonly"], [False, False]):
        for key, raw in all_keys(config).items():
            if isinstance(raw, str) and "${hydra:" in raw and not key.startswith("hydra."):
                OmegaConf.update(config, key, OmegaConf.select(config, key))
        config.pop("hydra")


def _parse(text: str) -> Override:
    """One override, parsed.

    Raises:
        UserError: when hydra cannot read it, or reads a sweep or nothing in it.
    """
    key, equals, value = text.partition("=")
    if not equals and not text.startswith("~"):
        options = [f"{group}={option}" for group in GROUPS for option in group_options(group)]
        close = nearest(text, [option.partition("=")[2] for option in options])
        meant = [option for option in options if option.partition("=")[2] in close]
        hint = f"did you mean {one_of(meant)}?" if meant else f"write {text}=VALUE."
        raise UserError(f"{text!r} is not of the form key=value: {hint}")
    if equals and not value:
        raise UserError(f"{text} has no value: write {key}=VALUE, or {key}=null for none.")
    try:
        override = OverridesParser.create().parse_override(text)
    except (OverrideParseException, HydraException) as error:
        raise UserError(
            f"{text!r} cannot be read as key=value: put a value with special characters in quotes, "
            f"as in \"{key}='{value}'\"."
        ) from error
    if override.is_sweep_override():
        raise UserError(f"{text} is a sweep over several values: start one run a value, or write {key}=[{value}].")
    if key.lstrip("+~") == "hydra.searchpath":
        raise UserError("hydra.searchpath would hide verl's defaults: add a folder of your own with --config-dir DIR.")
    if override.value() == "???":
        raise UserError(f"{text} marks a value as missing: write {key}=VALUE.")
    return override


def _check_groups(overrides: list[Override], config_dir: Path | None) -> None:
    """Raise UserError for an option that our groups do not have.

    Hydra would accept verl's own options of a group of the same name (`algorithm=rollout_correction`).
    """
    for override in overrides:
        if override.key_or_group not in GROUPS or override.package is not None:
            continue
        group, options = override.key_or_group, group_options(override.key_or_group, config_dir)
        value = override.value()
        if override.is_delete() or not isinstance(value, str):
            raise UserError(f"{override.input_line} does not choose one {group}: write {group}={one_of(options)}.")
        if value not in options:
            close = nearest(value, options)
            meant = f"did you mean {one_of(close)}? " if close else ""
            raise UserError(f"{group}={value} does not exist: {meant}There is {', '.join(options)}.")


def _missing_option(error: MissingConfigException) -> str:
    group, _, option = (error.missing_cfg_file or "").rpartition("/")
    return f"{group}={option} does not exist: {suggestion(option, error.options or [])}"


def _wrong_key(overrides: list[Override], error: ConfigCompositionException) -> str:
    """The sentence for an override whose key does not fit the configuration."""
    is_group = {override.input_line: _names_a_group(override) for override in overrides}
    try:
        chosen = [str(override.input_line) for override in overrides if is_group[override.input_line]]
        base = hydra.compose(PRIMARY_CONFIG, overrides=chosen, return_hydra_config=True)
    except HydraException:
        return f"{reason(error)}: --info=defaults lists the groups and their options."
    keys = set(all_keys(base))
    for override in overrides:
        key = override.key_or_group
        if override.is_add() and not override.is_force_add() and key in keys:
            return f"{override.input_line}: {key} exists already, so leave out the plus and write {key}=VALUE."
        if override.is_add() or override.is_force_add() or key in keys or is_group[override.input_line]:
            continue
        close = nearest_keys(key, [*keys, *GROUPS])
        if close:
            return f"{key} is not an option: did you mean {one_of(close)}?"
        parent = key.rpartition(".")[0]
        if parent in keys and not override.is_delete():
            return f"{key} is not an option: to add it to {parent} all the same, write +{override.input_line}."
        return f"{key} is not an option: look it up with --cfg job."
    return f"The configuration cannot be composed: {reason(error)}."


def _names_a_group(override: Override) -> bool:
    """Whether an override chooses a group's option (one of ours, or one of verl's) and not a plain value."""
    if override.package is not None or "/" in override.key_or_group or override.key_or_group in GROUPS:
        return True
    return "." not in override.key_or_group and (verl_configs() / override.key_or_group).is_dir()


def verl_configs() -> Path:
    """The folder behind the primary configuration's `pkg://verl.trainer.config`, which hydra would import: 3 s."""
    spec = importlib.util.find_spec("verl")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0], "trainer", "config")


def all_keys(config: DictConfig) -> dict[str, object]:
    """Every dotted key of a configuration with its value, folders of keys included, interpolations unresolved."""
    return by_dotted_key(OmegaConf.to_container(config, resolve=False))
