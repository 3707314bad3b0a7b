"""Problems of prepared parquet files: one benchmark a file, called by the file's name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gmpo_verl.config.nearest import nearest, one_of
from gmpo_verl.errors import UserError, reason
from gmpo_verl.evaluation.paper_tables import MATH_BENCHMARKS
from gmpo_verl.files import existing_sibling
from gmpo_verl.rewards.answer import Template, template_of
from gmpo_verl.rewards.equivalence import acceptable_answers

_COLUMNS = ("prompt", "reward_model")


@dataclass(frozen=True)
class Problem:
    """One row. `template` is the form that its prompt asks answers in; `images` are encoded image files."""

    benchmark: str
    index: int  # of the row in its file
    messages: tuple[dict[str, Any], ...]
    ground_truth: Any
    template: Template
    images: tuple[bytes, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.benchmark} {self.index}"


def read_benchmarks(data: str, names: Sequence[str] = (), limit: int | None = None) -> dict[str, list[Problem]]:
    """The problems of each benchmark: the paper's five in the paper's order, then others by name.

    Args:
        data: a folder with parquet files, or one parquet file.
        names: which of them; by default all but training splits (`train.parquet`) beside others.
        limit: the first so many problems of each.

    Raises:
        UserError: nothing there, an unknown name, or a file without usable problems; the message names `--data` or
            `--benchmarks`.
    """
    files = _files(data)
    unknown = [name for name in names if name not in files]
    if unknown:
        close = nearest(unknown[0], files)
        hint = f"did you mean {one_of(close)}? " if close else ""
        raise UserError(f"--benchmarks {unknown[0]} is not in --data {data}: {hint}There is {', '.join(files)}.")
    chosen = list(names) or [name for name in files if not name.startswith("train")] or list(files)
    return {name: _problems(name, files[name], limit) for name in files if name in chosen}


def _files(data: str) -> dict[str, Path]:
    path = Path(data).expanduser()
    if not path.exists():
        raise UserError(f"--data {data} does not exist: {existing_sibling(path)}")
    found = [path] if path.is_file() else sorted(path.glob("*.parquet"))
    if not found:
        raise UserError(
            f"--data {data} holds no parquet file: write a folder that python -m gmpo_verl.prepare_data has made."
        )
    if found[0].suffix != ".parquet":
        raise UserError(f"--data {data} is not a parquet file: write one, or a folder of them.")
    files = {file.stem: file for file in found}
    order = [*(name for name in MATH_BENCHMARKS if name in files), *files]
    return {name: files[name] for name in order}


def _problems(name: str, file: Path, limit: int | None) -> list[Problem]:
    rows = list(_rows(file, limit))
    if not rows:
        raise UserError(f"--data {file} has no rows: write a file with problems.")
    return [_problem(name, index, row, file) for index, row in enumerate(rows)]


def _rows(file: Path, limit: int | None) -> Iterator[dict[str, Any]]:
    import pyarrow
    import pyarrow.parquet as parquet

    try:
        table = parquet.read_table(file)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise UserError(f"--data {file} cannot be read ({reason(error)}): prepare it again.") from error
    for column in _COLUMNS:
        if column not in table.column_names:
            raise UserError(
                f"--data {file} has no column {column}, only {', '.join(table.column_names)}: "
                "prepare it with python -m gmpo_verl.prepare_data."
            )
    yield from table.slice(0, limit).to_pylist()


def _problem(name: str, index: int, row: dict[str, Any], file: Path) -> Problem:
    where = f"--data {file} row {index}"
    messages = row["prompt"]
    if not isinstance(messages, list) or not messages or not all(_is_message(message) for message in messages):
        raise UserError(
            f"{where} has a prompt that is not a list of messages with role and content: "
            "prepare it with python -m gmpo_verl.prepare_data."
        )
    truth = (row["reward_model"] or {}).get("ground_truth")
    if not acceptable_answers(truth):
        raise UserError(f"{where} has no reward_model.ground_truth: write the answer there, or leave the row out.")
    try:
        template = template_of((row.get("extra_info") or {}).get("template"))
    except ValueError as error:
        raise UserError(f"{where}: {error}.") from error
    images = tuple(_image(image, where) for image in row.get("images") or ())
    return Problem(name, index, tuple(messages), truth, template, images)


def _is_message(message: Any) -> bool:
    return isinstance(message, dict) and bool(message.get("role")) and isinstance(message.get("content"), str)


def _image(image: Any, where: str) -> bytes:
    """An image as data sets store it: its bytes, or the path of its file."""
    content = image.get("bytes") if isinstance(image, dict) else image
    if isinstance(content, bytes):
        return content
    path = image.get("path") if isinstance(image, dict) else image
    if not isinstance(path, str) or not Path(path).is_file():
        raise UserError(f"{where} has an image that is neither bytes nor a file: prepare the data again.")
    return Path(path).read_bytes()
