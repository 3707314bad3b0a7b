"""Which texts are benchmark problems. The package holds their SHA-256 and not the texts, so one source is enough."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).with_name("benchmark_sha256")


def digest(text: str) -> str:
    """The SHA-256 of a problem's text without its white space, in hexadecimal: equal for copies laid out anew."""
    return hashlib.sha256("".join(text.split()).encode("utf-8", "surrogatepass")).hexdigest()


def benchmark_of(text: str, benchmarks: Sequence[str]) -> str | None:
    """The first of the benchmarks that holds the problem. A copy in other words, or in other LaTeX, is not found."""
    wanted = digest(text)
    return next((name for name in benchmarks if wanted in _digests(name)), None)


@cache
def _digests(benchmark: str) -> frozenset[str]:
    """Those of `benchmark_sha256/<benchmark>.txt`, one a line."""
    return frozenset((_FOLDER / f"{benchmark}.txt").read_text().split())
