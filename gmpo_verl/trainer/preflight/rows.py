"""What preflight reads of a data file: its columns, its number of rows, the first of them, and its prompts."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from gmpo_verl.errors import reason

_FIRST = 64


@dataclass(frozen=True)
class Rows:
    """A readable file."""

    path: Path
    columns: tuple[str, ...]
    count: int
    first: tuple[dict[str, Any], ...]

    def column(self, name: str) -> Iterator[Any]:
        """Every value of one column, in order."""
        if self.path.suffix == ".parquet":
            import pyarrow.parquet as parquet

            for batch in parquet.ParquetFile(self.path).iter_batches(columns=[name]):
                yield from batch.column(0).to_pylist()
        else:
            yield from (row.get(name) for row in _json_rows(self.path))


def read_rows(path: Path) -> Rows | str:
    """The rows of a file, or one line on why it cannot be read."""
    try:
        stat = path.stat()
        return _read(path, stat.st_mtime_ns, stat.st_size)
    except (OSError, ValueError) as error:
        return reason(error)


@lru_cache(maxsize=64)
def _read(path: Path, _modified: int, _size: int) -> Rows:
    if path.suffix != ".parquet":
        rows = list(_json_rows(path))
        return Rows(path, tuple(rows[0]) if rows else (), len(rows), tuple(rows[:_FIRST]))
    import pyarrow.parquet as parquet

    # pyarrow's errors are ValueErrors or OSErrors.
    file = parquet.ParquetFile(path)
    first = next(file.iter_batches(batch_size=_FIRST), None)
    return Rows(path, tuple(file.schema_arrow.names), file.metadata.num_rows, tuple(first.to_pylist() if first else ()))


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        text = lines.read() if path.suffix == ".json" else None
        if text is not None and text.lstrip().startswith("["):
            yield from json.loads(text)
            return
        for line in text.splitlines() if text is not None else lines:
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("a line is not a JSON object")
                yield row
