"""What `--model` names: a Hugging Face folder, a model on the hub, a run directory or one of its checkpoints."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from gmpo_verl.errors import UserError, reason
from gmpo_verl.evaluation.run_models import checkpoint_of, export, run_of_export
from gmpo_verl.files import existing_sibling
from gmpo_verl.model_config import context_length, text_config

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
DTYPES: tuple[Dtype, ...] = get_args(Dtype)

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
_SAFETENSORS, _BIN = "*.safetensors", "*.bin"
_HUB_FILES = ["*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken"]
_CODE = ["*.py"]


@dataclass(frozen=True)
class Model:
    """A model on this machine's disk."""

    folder: Path
    name: str  # for tables
    run_dir: Path | None = None  # of the run that trained it

    @property
    def config(self) -> dict[str, Any]:
        return cast(dict[str, Any], json.loads((self.folder / "config.json").read_text(encoding="utf-8")))

    @property
    def context(self) -> int | None:
        """The longest sequence in tokens; None where the model sets no limit."""
        return context_length(self.config)

    def dtype(self, asked: Dtype = "auto") -> Dtype:
        """`auto` is the type that the model is stored in: vLLM's own `auto` would halve float32."""
        if asked != "auto":
            return asked
        config = self.config
        for settings in (config, text_config(config)):
            stored = settings.get("dtype") or settings.get("torch_dtype")
            if stored in DTYPES:
                return cast(Dtype, stored)
        return "auto"


def find_model(model: str, trust_remote_code: bool, say: Callable[[str], None]) -> Model:
    """Find the model, export it from a run's checkpoint, or fetch it from the hub.

    Args:
        say: gets a line for the user before something that takes time.

    Raises:
        UserError: there is no such model, or it is not complete; the message names `--model`.
    """
    folder = Path(model).expanduser()
    if folder.is_file():
        raise UserError(f"--model {model} is a file: write the folder that holds config.json and the weights.")
    if folder.is_dir():
        checkpoint = checkpoint_of(folder)
        if checkpoint is not None:
            return Model(export(checkpoint, say), checkpoint.name, checkpoint.run_dir)
        run_dir, name = run_of_export(folder) or (None, folder.resolve().name)
        return Model(_complete(folder, model), name, run_dir)
    if model.startswith(("/", ".", "~")) or not _HUB_NAME.fullmatch(model):
        raise UserError(f"--model {model} does not exist: {existing_sibling(folder)}")
    return Model(_complete(_from_hub(model, trust_remote_code, say), model), model)


def _complete(folder: Path, model: str) -> Path:
    if not (folder / "config.json").is_file():
        inside = [entry.name for entry in sorted(folder.iterdir()) if (entry / "config.json").is_file()]
        hint = f"did you mean {Path(model) / inside[0]}?" if inside else "write the folder of a model or of a run."
        raise UserError(f"--model {model} holds no config.json: {hint}")
    try:
        json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"--model {model} has a config.json that is no JSON: write a complete model.") from error
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise UserError(f"--model {model} holds no tokenizer: copy it there (tokenizer.json and its configuration).")
    if not weight_files(folder):
        raise UserError(f"--model {model} holds no weights (*.safetensors): write the folder of a complete model.")
    missing = _missing_shards(folder)
    if missing:
        raise UserError(f"--model {model} lacks {missing[0]}, which its index names: copy or download it again.")
    return folder


def weight_files(folder: Path) -> list[Path]:
    """The files with weights: safetensors, else PyTorch's."""
    return sorted(folder.glob(_SAFETENSORS)) or sorted(folder.glob(_BIN))


def _missing_shards(folder: Path) -> list[str]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return []
    names = set(json.loads(index.read_text(encoding="utf-8")).get("weight_map", {}).values())
    return sorted(name for name in names if not (folder / name).is_file())


def _from_hub(name: str, trust_remote_code: bool, say: Callable[[str], None]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    say(f"looking for {name} on the hub")
    small = _HUB_FILES + (_CODE if trust_remote_code else [])
    try:
        folder = Path(snapshot_download(name, allow_patterns=[*small, _SAFETENSORS]))
        if not weight_files(folder):
            folder = Path(snapshot_download(name, allow_patterns=[*small, _BIN]))
    except LocalEntryNotFoundError as error:
        offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON")
        why = "HF_HUB_OFFLINE is set" if offline else "the hub cannot be reached"
        raise UserError(
            f"--model {name} is no folder and not in the hub's cache, and {why}: write a folder."
        ) from error
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise UserError(
            f"--model {name} cannot be had from the hub ({reason(error)}): write a folder or another name."
        ) from error
    return folder
