"""A configuration as plain Python values."""

from typing import Any, cast

from omegaconf import DictConfig, OmegaConf


def plain(config: DictConfig) -> dict[str, Any]:
    """The values of a configuration or a part of it, interpolations resolved; `???` stays where a value is missing."""
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, enum_to_str=True))


def by_dotted_key(values: object, prefix: str = "") -> dict[str, Any]:
    """Every dotted key of nested dicts with its value, folders of keys included."""
    found: dict[str, Any] = {}
    if isinstance(values, dict):
        for name, child in values.items():
            found[f"{prefix}{name}"] = child
            found |= by_dotted_key(child, f"{prefix}{name}.")
    return found
