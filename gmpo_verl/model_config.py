"""What a model's config.json says, whatever its family."""

from typing import Any


def text_config(config: dict[str, Any]) -> dict[str, Any]:
    """The language model's settings, which multimodal models keep one level down; empty where others do not."""
    return config.get("text_config") or {}


def context_length(config: dict[str, Any]) -> int | None:
    """The longest sequence in tokens; None where the model sets no limit."""
    value = config.get("max_position_embeddings") or text_config(config).get("max_position_embeddings")
    return value if isinstance(value, int) else None
