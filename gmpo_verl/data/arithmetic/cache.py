"""Makes the files of an embedded task, or finds them in the cache."""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from filelock import FileLock

from gmpo_verl.data.embedded_task import EmbeddedTask
from gmpo_verl.errors import UserError

# Part of every cache key: raise it whenever the same settings would make other files.
FORMAT_VERSION = 1


@dataclass(frozen=True)
class EmbeddedFiles:
    """Where the files of one task stand."""

    model: Path  # a folder with the warm-started model and its tokenizer
    train: Path  # parquet
    validation: Path  # parquet


def prepare(settings: EmbeddedTask, cache_dir: Path | None = None) -> EmbeddedFiles:
    """Returns the files for these settings; makes them (data, tokenizer, warm start) where the cache has none.

    Args:
        settings: what to make; every field is part of the cache key.
        cache_dir: default the folder in the environment's GMPO_CACHE, else ~/.cache/gmpo_verl.

    Raises:
        UserError: the cache folder cannot be written.
    """
    root = (cache_dir or default_cache_dir()) / settings.name
    finished = root / cache_key(settings)
    if not finished.is_dir():
        try:
            root.mkdir(parents=True, exist_ok=True)
            # A second run of the same settings waits for the first one's files.
            with FileLock(f"{finished}.lock"):
                if not finished.is_dir():
                    _make(settings, finished)
        except OSError as error:
            raise UserError(
                f"The cache folder {root} cannot be written ({error.strerror or error}); "
                "name another folder in the environment variable GMPO_CACHE."
            ) from error
    return _files_in(finished)


def default_cache_dir() -> Path:
    """The folder named by the environment's GMPO_CACHE, else ~/.cache/gmpo_verl."""
    return Path(os.environ.get("GMPO_CACHE") or Path.home() / ".cache" / "gmpo_verl")


def cache_key(settings: EmbeddedTask) -> str:
    """A name that differs whenever a setting or the format version does."""
    described = json.dumps({"format": FORMAT_VERSION, **_fields(settings)}, sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def _files_in(folder: Path) -> EmbeddedFiles:
    return EmbeddedFiles(folder / "model", folder / "train.parquet", folder / "validation.parquet")


def _make(settings: EmbeddedTask, finished: Path) -> None:
    # Imported here: reading the cache needs no torch.
    from gmpo_verl.data.arithmetic.tokenizer import make_tokenizer
    from gmpo_verl.data.arithmetic.warm_start import warm_start

    # Built beside its place and renamed at the end, so that a killed warm start leaves nothing that looks finished.
    # The lock is held, so a leftover of this name belongs to nobody.
    partial = finished.with_name(f"{finished.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    files = _files_in(partial)
    train, validation = settings.split()
    _write_parquet(settings.rows(train, "train"), files.train)
    _write_parquet(settings.rows(validation, "validation"), files.validation)
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(files.model)
    warm_start(settings, train, tokenizer).save_pretrained(files.model)
    (partial / "settings.json").write_text(json.dumps(_fields(settings), indent=2) + "\n")
    os.replace(partial, finished)


def _fields(settings: EmbeddedTask) -> dict[str, Any]:
    return asdict(cast(Any, settings))


def _write_parquet(rows: list[dict[str, Any]], path: Path) -> None:
    import pandas as pd

    pd.DataFrame(rows).to_parquet(path, index=False)
