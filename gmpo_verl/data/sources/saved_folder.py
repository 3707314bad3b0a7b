"""A folder that `datasets` wrote with `save_to_disk`: one data set or a dictionary of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gmpo_verl.data.sources.split import Row, Source, Split, one_line
from gmpo_verl.errors import UserError

_BATCH_ROWS = 256
# An Arrow stream ends with a continuation marker and a length of zero.
_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def is_saved_folder(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in ("dataset_dict.json", "state.json"))


def open_saved_folder(given: str, path: Path) -> Source:
    """The splits of the folder; a single data set is one split with the folder's name.

    Raises:
        UserError: a file of it is missing, cut off or damaged.
    """
    from datasets import DatasetDict, load_from_disk

    files = tuple(sorted(path.rglob("*.arrow")))
    try:
        # pyarrow reads a stream that was cut between two batches without a word.
        cut = [file for file in files if not _ends_well(file)]
        if cut:
            raise ValueError(f"{cut[0].relative_to(path)} is cut off")
        loaded = load_from_disk(str(path))
        datasets = dict(loaded) if isinstance(loaded, DatasetDict) else {path.resolve().name: loaded}
        for dataset in datasets.values():
            dataset.data.validate(full=True)  # rows of a damaged table may lie outside its memory
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"--source={given} cannot be read ({one_line(error)}): write a folder that is whole, or fetch it again."
        ) from error
    splits = tuple(split_of(name, dataset) for name, dataset in datasets.items())
    return Source(given, str(path.resolve()), splits, files, path)


def split_of(name: str, dataset: Any) -> Split:
    """A split that reads a `datasets.Dataset`; images stay encoded."""

    def read() -> Iterator[Row]:
        for table in dataset.with_format("arrow").iter(batch_size=_BATCH_ROWS):
            yield from table.to_pylist()

    return Split(name, tuple(dataset.column_names), len(dataset), read)


def _ends_well(file: Path) -> bool:
    size = file.stat().st_size
    with file.open("rb") as stream:
        stream.seek(max(0, size - len(_END_OF_STREAM)))
        return stream.read() == _END_OF_STREAM
