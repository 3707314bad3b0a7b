"""Parquet, JSON and JSON-lines files: one, or those of a folder."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from gmpo_verl.data.sources.split import Row, Source, Split, one_line
from gmpo_verl.errors import UserError

SUFFIXES = (".parquet", ".json", ".jsonl")

_BATCH_ROWS = 256
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")  # as the hub names them: train-00000-of-00002.parquet


def open_files(given: str, path: Path) -> Source:
    """Every file is a split of the file's name; several shards of one name follow each other.

    Args:
        path: a file, or a folder of which the files are read, else those of the folder `data` in it, as on the hub.

    Raises:
        UserError: there is no file of these kinds, or one cannot be read.
    """
    files = [path] if path.is_file() else _files_of(path) or _files_of(path / "data")
    if not files or files[0].suffix not in SUFFIXES:
        raise UserError(
            f"--source={given} is no data set: write a folder saved by datasets, or a file or folder of "
            f"{', '.join(SUFFIXES)}."
        )
    splits = tuple(_split(given, file) for file in files)
    return Source(given, str(path.resolve()), splits, tuple(files), path if path.is_dir() else path.parent)


def _files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES and path.is_file())


def _split(given: str, file: Path) -> Split:
    name = _SHARD.sub("", file.stem)
    try:
        if file.suffix == ".parquet":
            return _parquet_split(given, name, file)
        rows = list(_json_rows(file))
    except (OSError, ValueError, NotImplementedError) as error:
        raise _unreadable(given, file, error) from error
    columns = tuple(dict.fromkeys(column for row in rows for column in row))
    return Split(name, columns, len(rows), lambda: ({column: row.get(column) for column in columns} for row in rows))


def _parquet_split(given: str, name: str, file: Path) -> Split:
    import pyarrow.parquet as parquet

    metadata = parquet.read_metadata(file)
    columns = tuple(metadata.schema.to_arrow_schema().names)

    def read() -> Iterator[Row]:
        try:
            with parquet.ParquetFile(file) as opened:
                for batch in opened.iter_batches(batch_size=_BATCH_ROWS):
                    yield from batch.to_pylist()
        except (OSError, ValueError, NotImplementedError) as error:  # pyarrow's are one of these
            raise _unreadable(given, file, error) from error

    return Split(name, columns, metadata.num_rows, read)


def _json_rows(file: Path) -> Iterator[Row]:
    """The rows of a file that is one list, or of one with an object a line."""
    text = file.read_text(encoding="utf-8-sig")
    if text.lstrip().startswith("["):
        rows = list(enumerate(json.loads(text), start=1))
    else:
        rows = [(number, _line(number, line)) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    for number, row in rows:
        if not isinstance(row, dict):
            raise ValueError(f"entry {number} is not a JSON object")
        yield row


def _line(number: int, line: str) -> object:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {number} is not JSON: {error.msg} at character {error.pos + 1}") from error


def _unreadable(given: str, file: Path, error: Exception) -> UserError:
    where = "" if file.name == Path(given).name else f" {file.name}"
    return UserError(
        f"--source={given} cannot be read{where and ':'}{where} ({one_line(error)}): write a file that is whole, "
        "or fetch it again."
    )
