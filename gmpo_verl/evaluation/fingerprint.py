"""What an answer depends on besides its prompt: the model's files and the sampling. Stored as `evaluation.json`."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gmpo_verl.evaluation.model_source import Model, weight_files
from gmpo_verl.evaluation.sampling import Sampling
from gmpo_verl.files import sha256_of

_SMALL = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
_READERS = 8


def fingerprint(model: Model, sampling: Sampling, stored: dict[str, Any] | None = None) -> dict[str, Any]:
    """A JSON object that is equal for equal models and sampling, wherever the model's folder stands.

    Args:
        stored: an earlier fingerprint: the weights are not read again where size and time of their files are the same.
    """
    known = {file["name"]: file for file in (stored or {}).get("weights", ()) if isinstance(file, dict)}
    files = weight_files(model.folder)
    with ThreadPoolExecutor(_READERS) as pool:  # reading 15 GB takes a while, and warms the cache for vLLM
        weights = list(pool.map(lambda file: _described(file, known.get(file.name, {})), files))
    small = {name: sha256_of(model.folder / name) for name in _SMALL if (model.folder / name).is_file()}
    return {"sampling": sampling.identity(), "model": model.name, "files": small, "weights": weights}


def differences(stored: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """What differs between two fingerprints, in a user's words; empty where answers can be shared."""
    before, after = stored.get("sampling", {}), asked["sampling"]
    found = [
        f"{name.replace('_', '-')} {before.get(name)} instead of {after[name]}"
        for name in after
        if before.get(name) != after[name]
    ]
    if _hashes(stored) != _hashes(asked):
        found.append(
            f"the model {stored.get('model')}" + (", changed" if stored.get("model") == asked["model"] else "")
        )
    return found


def _hashes(described: dict[str, Any]) -> Any:
    return described.get("files"), [(file["name"], file["sha256"]) for file in described.get("weights", ())]


def _described(file: Path, known: dict[str, Any]) -> dict[str, Any]:
    stat = file.stat()
    same = known.get("bytes") == stat.st_size and known.get("modified_ns") == stat.st_mtime_ns
    sha = known["sha256"] if same else sha256_of(file)
    return {"name": file.name, "bytes": stat.st_size, "modified_ns": stat.st_mtime_ns, "sha256": sha}
