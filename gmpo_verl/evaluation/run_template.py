"""The prompt template that a run was trained with."""

import json
from pathlib import Path
from typing import Any

import yaml

from gmpo_verl.data.embedded import is_embedded
from gmpo_verl.data.templates import TEMPLATES, Template
from gmpo_verl.rewards.answer import DEFAULT_TEMPLATE


def template_of_run(run_dir: Path) -> Template:
    """From the training data: its manifest, else its first row; the embedded task has prompts without a template."""
    config = yaml.safe_load((run_dir / "config.yaml").read_text(encoding="utf-8"))
    files = config["data"]["train_files"]
    first = files if isinstance(files, str) else files[0]
    if is_embedded(first):
        return "none"
    file = Path(first).expanduser()
    for name in (_of_manifest(file.parent / "manifest.json"), _of_first_row(file)):
        if name in TEMPLATES:
            return name
    return DEFAULT_TEMPLATE


def _of_manifest(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8")).get("template")
    except (OSError, ValueError, AttributeError):
        return None


def _of_first_row(file: Path) -> Any:
    import pyarrow.parquet as parquet

    try:
        rows = next(parquet.ParquetFile(file).iter_batches(batch_size=1, columns=["extra_info"])).to_pylist()
        return (rows[0]["extra_info"] or {}).get("template")
    except (OSError, ValueError, StopIteration, IndexError, KeyError):
        return None
