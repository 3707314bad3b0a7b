"""A configuration as plain Python values."""

from typing import Any, cast

from omegaconf import DictConfig, OmegaConf


def plain(config: DictConfig) -> dict[str, Any]:
    """The values of a configuration or a part of it, interpolations resolved; `???` stays where a value is missing."""
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, enum_to_str=True))
