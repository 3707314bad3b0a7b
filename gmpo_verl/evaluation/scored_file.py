"""Scoring of existing answers, without a model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gmpo_verl.errors import UserError
from gmpo_verl.evaluation.answer_file import IDENTITY
from gmpo_verl.evaluation.grading import Grading
from gmpo_verl.evaluation.paper_tables import MATH_BENCHMARKS
from gmpo_verl.evaluation.responses import read_responses
from gmpo_verl.evaluation.results import write_results


def score_file(
    responses: str, out: Path, name: str | None, benchmarks: Sequence[str], max_tokens: int
) -> dict[str, Any]:
    """The results of a file of answers, which are written to `out` too.

    Args:
        benchmarks: only these; empty for all.
        max_tokens: where the official evaluator cut answers off.

    Raises:
        UserError: the file cannot be scored, a benchmark is not in it, or `out` is not for these results.
    """
    problems = read_responses(responses, max_tokens)
    known = sorted({benchmark for benchmark, _ in problems}, key=_paper_order)
    if unknown := [benchmark for benchmark in benchmarks if benchmark not in known]:
        raise UserError(f"--benchmarks {unknown[0]} is not in --responses {responses}: there is {', '.join(known)}.")
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file: name a folder.")
    if (out / IDENTITY).exists():
        raise UserError(f"--out {out} holds the evaluation of a model: name another folder.")
    chosen = [name for name in known if not benchmarks or name in benchmarks]
    with Grading() as grading:
        futures = {
            key: [grading.submit(row, row["ground_truth"], row["template"]) for row in problems[key]]
            for key in sorted(problems, key=lambda key: (_paper_order(key[0]), key[1]))
            if key[0] in chosen
        }
        graded = {
            key: (problems[key][0]["ground_truth"], [future.result() for future in samples])
            for key, samples in futures.items()
        }
    out.mkdir(parents=True, exist_ok=True)
    return write_results(out, name or Path(responses).stem, None, graded)


def _paper_order(benchmark: str) -> tuple[int, str]:
    known = MATH_BENCHMARKS.index(benchmark) if benchmark in MATH_BENCHMARKS else len(MATH_BENCHMARKS)
    return known, benchmark
