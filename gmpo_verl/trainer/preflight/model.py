"""The model's folder, or its name on the hub."""

import importlib.util
import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from gmpo_verl.data.embedded import is_embedded
from gmpo_verl.files import existing_sibling
from gmpo_verl.trainer.preflight.absent import Absent
from gmpo_verl.trainer.preflight.known_models import KNOWN_MODELS

_KEY = "actor_rollout_ref.model.path"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_REMOTE = ("hdfs://", "s3://", "gs://")
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "tokenizer_config.json", "vocab.txt")
_WEIGHTS = ("*.safetensors", "*.bin", "*.safetensors.index.json")


def check(config: DictConfig) -> Iterator[str]:
    path = config.actor_rollout_ref.model.path
    if not path:
        yield f"{_KEY} is not set: write the model's folder or its name on the hub."
        return
    if is_embedded(path) or path.startswith(_REMOTE):
        return
    if "vision_config" in (model_config(config) or {}) and not can_read_images():
        yield Absent(
            f"{_KEY}={path} reads images, and verl reads them with qwen-vl-utils, which is not installed: "
            "pip install qwen-vl-utils, or write a language model.",
            "the package qwen-vl-utils, which reads images: it is not installed here",
        )
    folder = Path(path).expanduser()
    if folder.is_dir():
        yield from _folder(config, folder)
    elif folder.is_file():
        yield f"{_KEY}={path} is a file: write the folder that holds config.json and the weights."
    elif _looks_like_hub(path):
        if _offline() and hub_file(path, "config.json") is None:
            yield Absent(
                f"{_KEY}={path} is not in the hub's cache and HF_HUB_OFFLINE is set: "
                "write a folder, or unset HF_HUB_OFFLINE.",
                left_out(path),
            )
    else:
        yield Absent(f"{_KEY}={path} does not exist: {existing_sibling(folder)}", left_out(path))


def can_read_images() -> bool:
    """Whether the package is here that verl's data set reads every prompt of a multimodal model with."""
    return importlib.util.find_spec("qwen_vl_utils") is not None


def left_out(path: str) -> str:
    """What a dry run says of a model that is not on this machine."""
    known = "; the model's sizes are known" if path in KNOWN_MODELS else ""
    return f"{_KEY}: {path} is not here, nor its tokenizer, so no prompt was measured{known}"


def model_config(config: DictConfig) -> dict[str, Any] | None:
    """The model's config.json, where it can be read without a network or is known; None otherwise."""
    path = config.actor_rollout_ref.model.path
    if not path or is_embedded(path):
        return None
    file = local_file(path, "config.json")
    if file is None:
        return KNOWN_MODELS.get(path)
    try:
        loaded = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return loaded if isinstance(loaded, dict) else None


def local_file(path: str, name: str) -> Path | None:
    """A file of a model, in its folder or in the hub's cache; None where it is not on this machine."""
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder / name if (folder / name).is_file() else None
    return hub_file(path, name) if _looks_like_hub(path) else None


@cache
def hub_file(name: str, file: str) -> Path | None:
    """A file of a hub model in the local cache, None where it is not there."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name, file)
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None


def _folder(config: DictConfig, folder: Path) -> Iterator[str]:
    if not (folder / "config.json").is_file():
        inside = [entry.name for entry in sorted(folder.iterdir()) if (entry / "config.json").is_file()]
        hint = f"did you mean {folder / inside[0]}?" if inside else "write the folder of a Hugging Face model."
        yield f"{_KEY}={folder} holds no config.json: {hint}"
        return
    if model_config(config) is None:
        yield f"{_KEY}={folder} has a config.json that cannot be read: write the folder of a complete model."
    tokenizer = Path(config.actor_rollout_ref.model.tokenizer_path or folder).expanduser()
    if tokenizer.is_dir() and not any((tokenizer / name).is_file() for name in _TOKENIZER_FILES):
        yield f"{_KEY}={folder} holds no tokenizer: write actor_rollout_ref.model.tokenizer_path=FOLDER of one."
    if not any(any(folder.glob(pattern)) for pattern in _WEIGHTS):
        yield f"{_KEY}={folder} holds no weights (*.safetensors): write the folder of a complete model."


def _looks_like_hub(path: str) -> bool:
    if path.startswith(("/", ".", "~")) or not _HUB_NAME.fullmatch(path):
        return False
    # `models/qwen` beside an existing folder `models` is a mistyped path rather than a name on the hub.
    return not ("/" in path and Path(path).parent.is_dir())


def _offline() -> bool:
    return any(
        os.environ.get(name, "").upper() in ("1", "TRUE", "YES", "ON")
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    )
