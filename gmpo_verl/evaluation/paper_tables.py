"""The rows of the paper's tables (arXiv 2507.20673 v3) to set beside a result. Accuracies in %, by benchmark."""

from dataclasses import dataclass

MATH_BENCHMARKS = ("aime24", "amc", "math500", "minerva", "olympiad_bench")
TITLES = {
    "aime24": "AIME24",
    "amc": "AMC",
    "math500": "MATH500",
    "minerva": "Minerva",
    "olympiad_bench": "Olympiad",
    "geometry3k": "Geometry3K",
}


@dataclass(frozen=True)
class PaperRow:
    """One row: the base model, how it was trained, and its accuracies; `average` is the paper's own figure."""

    model: str
    method: str
    scores: dict[str, float]
    average: float | None = None

    @property
    def name(self) -> str:
        return f"{self.model} + {self.method}" if self.method else self.model


_1_5B, _7B, _R1 = "Qwen2.5-Math-1.5B", "Qwen2.5-Math-7B", "R1-Distill-Qwen-7B"
_VL, _MOE = "Qwen2.5-VL-7B-Instruct", "Qwen3-30B-A3B"


def _five(model: str, method: str, *figures: float) -> PaperRow:
    *scores, average = figures
    return PaperRow(model, method, dict(zip(MATH_BENCHMARKS, scores, strict=True)), average)


# Pass@1 at temperature 0, one answer; Geometry3K: temperature 0.5, 16 answers. The MoE is called Qwen3-32B in the
# paper, with the layout of Qwen3-30B-A3B.
ROWS = (
    _five(_1_5B, "", 16.7, 43.4, 61.8, 15.1, 28.4, 33.1),
    _five(_1_5B, "GRPO", 23.3, 49.4, 75.2, 25.7, 39.0, 42.5),
    _five(_1_5B, "Dr.GRPO (Oat-Zero)", 20.0, 53.0, 74.2, 25.7, 37.6, 42.1),
    _five(_1_5B, "GMPO", 20.0, 53.0, 77.6, 30.1, 38.7, 43.9),
    _five(_7B, "", 16.7, 38.6, 50.6, 9.9, 16.6, 26.5),
    _five(_7B, "GRPO", 40.0, 59.0, 83.4, 32.4, 41.3, 51.2),
    _five(_7B, "Dr.GRPO (Oat-Zero)", 43.3, 62.7, 80.0, 30.1, 41.0, 51.4),
    _five(_7B, "GMPO", 43.3, 61.4, 82.0, 33.5, 43.6, 52.7),
    _five(_R1, "GRPO", 43.3, 67.5, 89.0, 39.7, 56.7, 59.3),
    _five(_R1, "Dr.GRPO (Oat-Zero)", 50.0, 74.7, 89.6, 37.5, 55.7, 61.5),
    _five(_R1, "GMPO", 46.6, 78.3, 91.4, 37.9, 62.5, 63.4),
    PaperRow(_VL, "GRPO", {"geometry3k": 53.3}),
    PaperRow(_VL, "GMPO", {"geometry3k": 54.7}),
    PaperRow(_MOE, "GRPO", {"math500": 94.6}),
    PaperRow(_MOE, "GMPO", {"math500": 96.7}),
)

# What a model's name holds, lower case, for each of the paper's models; the first that fits counts.
_MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (_R1, ("r1", "distill", "7b")),
    (_VL, ("vl", "7b")),
    (_MOE, ("30b", "a3b")),
    (_1_5B, ("math", "1.5b")),
    (_1_5B, ("math", "1_5b")),
    (_7B, ("math", "7b")),
)


def rows_for(model: str, benchmarks: tuple[str, ...]) -> list[PaperRow]:
    """The paper's rows with a figure for one of `benchmarks`: of this model where its name tells, else all of them."""
    rows = [row for row in ROWS if any(name in row.scores for name in benchmarks)]
    known = next((name for name, marks in _MARKS if all(mark in model.lower() for mark in marks)), None)
    own = [row for row in rows if row.model == known]
    return own or rows


def title(benchmark: str) -> str:
    return TITLES.get(benchmark, benchmark)
