"""From a source to parquet files in verl's columns, with a manifest beside them."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmpo_verl.data.output_folder import OutputFolder, check_place
from gmpo_verl.data.selection import Account, Chosen, choose
from gmpo_verl.data.sets.data_set import DataSet
from gmpo_verl.data.sources import Source, Split, open_source
from gmpo_verl.data.templates import Template, chat_template_for
from gmpo_verl.data.verl_rows import schema, verl_row
from gmpo_verl.errors import UserError
from gmpo_verl.files import sha256_of

if TYPE_CHECKING:
    import pyarrow as pa

# Raise it when the same source would give other rows.
FORMAT_VERSION = 1

_BATCH_ROWS = 512
_TRAINING_FILES = ("train", "validation", "test")

Progress = Callable[[Iterator[Chosen], str, int], Iterator[Chosen]]  # the problems, their file, rows to come


@dataclass(frozen=True)
class Request:
    """What the user asks for."""

    data_set: DataSet
    source: str | None  # None: the set's well-known one
    template: Template
    out: Path
    overwrite: bool = False


def prepare(request: Request, progress: Progress = lambda problems, file, rows: problems) -> dict[str, Any]:
    """Write the files of a set and their manifest, and return the manifest. The same input gives the same bytes.

    Raises:
        UserError: the source or the folder cannot be used. No file is left behind then, and one that was there stays.
    """
    data_set = request.data_set
    if data_set.has_images and chat_template_for(request.template) is not None:
        raise UserError(
            f"--template={request.template} has no place for the images of {data_set.name}: "
            "write --template=easy_r1 or --template=qwen_math."
        )
    source = _open(request)
    files = _layout(data_set, source)
    identity = {"set": data_set.name, "source": source.name, "template": request.template}
    source_files = {_relative(path, source): sha256_of(path) for path in source.files}
    if any(path.resolve().parent == request.out.resolve() for path in source.files):
        raise UserError(f"--out={request.out} is where the source's files are: write another folder.")
    account = Account()
    try:
        replaced = check_place(request.out, identity, [f"{name}.parquet" for name in files], request.overwrite)
        with OutputFolder(request.out) as folder:
            written = {
                f"{name}.parquet": _write(
                    folder.file(f"{name}.parquet"),
                    schema(data_set.has_images),
                    _rows(request, source, splits, name, account, progress),
                )
                for name, splits in files.items()
            }
            manifest = {
                "format": FORMAT_VERSION,
                **identity,
                "chat_template": chat_template_for(request.template),
                "files": written,
                **account.as_json(),
                "other_splits": [split.name for split in source.splits if data_set.file_of(split.name) is None],
                "source_files": source_files,
            }
            folder.publish(list(written), manifest, replaced)
    except OSError as error:
        raise UserError(
            f"--out={request.out} cannot be written ({error.strerror or error}): "
            "write a folder with free space that you may write to."
        ) from error
    return manifest


def _open(request: Request) -> Source:
    data_set = request.data_set
    if data_set.embedded is not None:
        if request.source is not None:
            raise UserError(f"--source={request.source} is not read: {data_set.name} is made here, leave --source out.")
        return Source("", "embedded", data_set.embedded())
    given = request.source or data_set.hub
    if given is None:
        raise UserError(
            f"--source is not set, and {data_set.name} has no well-known place on the hub: {data_set.where}."
        )
    return open_source(given, data_set.hub_config if given == data_set.hub else None)


def _layout(data_set: DataSet, source: Source) -> dict[str, list[Split]]:
    """Which splits go into which file, in the order of writing.

    Raises:
        UserError: a column, a split or every row is missing.
    """
    files: dict[str, list[Split]] = {}
    for split in source.splits:
        name = data_set.file_of(split.name)
        if name is not None:
            _check_columns(data_set, source, split)
            files.setdefault(name, []).append(split)
    missing = [name for name in data_set.files if name not in files]
    if missing:
        there = ", ".join(split.name for split in source.splits)
        raise UserError(
            f"--source={source.given} has no {', '.join(missing)}, only {there}: "
            f"write a source of the whole set {data_set.name}."
        )
    order = list(dict.fromkeys((*data_set.files, *_TRAINING_FILES)))

    def place(name: str) -> tuple[int, str]:
        return order.index(name) if name in order else len(order), name

    return {name: sorted(files[name], key=lambda split: place(split.name)) for name in sorted(files, key=place)}


def _check_columns(data_set: DataSet, source: Source, split: Split) -> None:
    if split.count == 0:
        raise UserError(f"--source={source.given} has no rows in {split.name}: write a source with problems.")
    layouts = data_set.columns
    if any(set(layout) <= set(split.columns) for layout in layouts):
        return
    nearest = max(layouts, key=lambda layout: len(set(layout) & set(split.columns)))
    missing = [column for column in nearest if column not in split.columns]
    raise UserError(
        f"--source={source.given} has no column {' and no '.join(missing)} in {split.name}, "
        f"only {', '.join(split.columns)}: write a source of {data_set.name} with the columns "
        f"{' or '.join(', '.join(layout) for layout in layouts)}."
    )


def _rows(
    request: Request, source: Source, splits: list[Split], name: str, account: Account, progress: Progress
) -> Iterator[dict[str, Any]]:
    """The rows of one file.

    Raises:
        UserError: there are none.
    """
    data_set = request.data_set
    chosen = (one for split in splits for one in choose(data_set, source, split, account))
    index = -1
    for index, one in enumerate(progress(chosen, name, sum(split.count for split in splits))):
        yield verl_row(
            one.problem,
            one.accepted,
            request.template,
            data_source=name if data_set.benchmarks else data_set.name,
            split=name,
            index=index,
            source=(one.split, one.index),
        )
    if index < 0:
        reasons = ", ".join(dict.fromkeys([*account.left_out, *account.dropped]))
        raise UserError(
            f"--source={source.given} has no usable problem for {name}.parquet ({reasons}): "
            f"write a source of {data_set.name}."
        )


def _write(path: Path, types: "pa.Schema", rows: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Write one file, and return its number of rows and its SHA-256."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    written = 0
    with path.open("wb") as stream:
        with parquet.ParquetWriter(stream, types) as writer:
            while batch := list(islice(rows, _BATCH_ROWS)):
                writer.write_table(pa.Table.from_pylist(batch, types))
                written += len(batch)
        stream.flush()
        os.fsync(stream.fileno())
    return {"rows": written, "sha256": sha256_of(path)}


def _relative(path: Path, source: Source) -> str:
    return str(path.relative_to(source.folder)) if source.folder else path.name
