"""Data inside a page: JSON that no text can break out of, and compressed chunks that a browser inflates on its own."""

import base64
import gzip
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gmpo_verl.reporting.sample import Sample

# Characters of text a chunk: about as much as a phone parses without a visible pause.
CHUNK_CHARS = 500_000


def script_json(value: Any) -> str:
    """JSON to stand inside `<script type="application/json">`: no text in it can close the element. NaN is null."""
    text = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def packed(value: Any) -> str:
    """JSON, gzipped and in base64; the same value gives the same text."""
    text = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), compresslevel=6, mtime=0)).decode("ascii")


def sample_chunks(samples: Sequence[Sample]) -> tuple[str, list[str]]:
    """What the list shows of all samples, and their texts in chunks, both packed.

    The first: `{"problems": [[question, prompt or "", truth, benchmark]], "columns": {...}}`, a column a field, each
    of one entry a sample. A text: `[response, characters cut, why]`, in the same order.
    """
    problems: dict[tuple[str, str, str], int] = {}
    rows: list[list[Any]] = []
    for sample in samples:
        problem = problems.setdefault((sample.prompt, sample.truth, sample.benchmark), len(problems))
        rows.append([problem, *_row(sample)])
    questions = {sample.prompt: sample.question for sample in samples}
    listed = [
        [questions[prompt], prompt if prompt.strip() != questions[prompt] else "", truth, benchmark]
        for prompt, truth, benchmark in problems
    ]
    columns = {name: [row[index] for row in rows] for index, name in enumerate(_COLUMNS)}
    return packed({"problems": listed, "columns": columns}), [packed(part) for part in _texts(samples)]


_COLUMNS = (
    "problem",
    "run",
    "validation",
    "step",
    "score",
    "right",
    "truncated",
    "length",
    "advantage",
    "ratio",
    "answer",
)


def _row(sample: Sample) -> list[Any]:
    ratio = [round(value, 4) for value in sample.log_ratio] if sample.log_ratio else None
    return [
        sample.run,
        int(sample.kind == "validation"),
        sample.step,
        _rounded(sample.score),
        None if sample.right is None else int(sample.right),
        None if sample.truncated is None else int(sample.truncated),
        sample.length,
        _rounded(sample.advantage),
        ratio,
        sample.answer,
    ]


def _texts(samples: Iterable[Sample]) -> Iterator[list[list[Any]]]:
    chunk: list[list[Any]] = []
    size = 0
    for sample in samples:
        chunk.append([sample.output, sample.chars_cut, sample.why])
        size += len(sample.output)
        if size >= CHUNK_CHARS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _finite(value: Any) -> Any:
    """The value with null in place of what JSON has no number for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(child) for child in value]
    return value
