"""The sizes of a model that an estimate of memory counts with."""

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from gmpo_verl.trainer.preflight.known_models import KNOWN_PARAMETERS
from gmpo_verl.trainer.preflight.model import local_file, model_config

_LONGEST_HEADER = 100_000_000  # bytes; safetensors' own limit


@dataclass(frozen=True)
class ModelShape:
    """A decoder's sizes.

    Attributes:
        query, key_value: width of all query heads, and of all key (or value) heads.
        mlp: width of the feed-forward layer that a token passes, over its active experts.
        layer_parameters: weights of one layer, over all experts; biases and norms are not counted.
        embedding_parameters: of the input and, where it is not the same, the output embedding.
        parameters: of the whole model.
    """

    layers: int
    hidden: int
    query: int
    key_value: int
    key_value_heads: int
    mlp: int
    vocabulary: int
    layer_parameters: int
    embedding_parameters: int
    parameters: int


def model_shape(config: DictConfig) -> ModelShape | None:
    """The shape of the configured model; None where its config.json is neither here nor known, or of another kind."""
    loaded = model_config(config)
    if loaded is None:
        return None
    path = config.actor_rollout_ref.model.path
    weights = local_file(path, "config.json")
    parameters = KNOWN_PARAMETERS.get(path) if weights is None else stored_parameters(weights.parent)
    try:
        return shape_of(loaded, parameters)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def shape_of(loaded: dict[str, Any], parameters: int | None = None) -> ModelShape:
    """The shape that a Hugging Face config.json describes: Qwen2, Qwen3, Llama and their like, with or without experts.

    Args:
        parameters: of the whole model, where they were counted; else those of its layers and embeddings.

    Raises:
        KeyError, TypeError, ValueError: a size is missing or no number.
    """
    text = {**loaded, **(loaded.get("text_config") or {})}  # multimodal models keep the decoder's one level down
    hidden, layers, vocabulary, heads = (
        int(text[key]) for key in ("hidden_size", "num_hidden_layers", "vocab_size", "num_attention_heads")
    )
    key_value_heads = int(text.get("num_key_value_heads") or heads)
    head = int(text.get("head_dim") or hidden // heads)
    query, key_value = heads * head, key_value_heads * head
    experts = int(text.get("num_experts") or 0)
    width = int(text["moe_intermediate_size"] if experts else text["intermediate_size"])
    attention = 2 * hidden * query + 2 * hidden * key_value
    layer = attention + 3 * hidden * width * max(1, experts) + hidden * experts
    embedding = vocabulary * hidden * (1 if text.get("tie_word_embeddings") else 2)
    return ModelShape(
        layers=layers,
        hidden=hidden,
        query=query,
        key_value=key_value,
        key_value_heads=key_value_heads,
        mlp=width * (int(text["num_experts_per_tok"]) if experts else 1),
        vocabulary=vocabulary,
        layer_parameters=layer,
        embedding_parameters=embedding,
        parameters=parameters or layers * layer + embedding,
    )


def stored_parameters(folder: Path) -> int | None:
    """How many numbers a folder's safetensors files hold, from their headers alone; None where that cannot be told."""
    files = sorted(folder.glob("*.safetensors"))
    try:
        return sum(_numbers(file) for file in files) if files else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        return None


def _numbers(file: Path) -> int:
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > _LONGEST_HEADER:
            raise ValueError("no safetensors header")
        header = json.loads(stream.read(length))
    return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
