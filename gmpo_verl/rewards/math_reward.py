"""verl's entry: the score of one response against its ground truth."""

from typing import Any

from gmpo_verl.rewards.answer import extract_answer
from gmpo_verl.rewards.grading_pool import Verdict, shared_pool


async def compute_score(
    data_source: str, solution_str: str, ground_truth: Any, extra_info: dict[str, Any] | None = None, **_: Any
) -> dict[str, float]:
    """1 for a right boxed answer, else 0, whatever the text: what cannot be graded is counted, not raised.

    Args:
        ground_truth: a string, a number, or a list of acceptable strings.

    Returns:
        ``score`` and ``acc`` (1 or 0), and as 1 or 0: ``format_ok`` (a balanced box is there), ``timed_out`` (the
        comparison was killed at its deadline), ``error`` (no usable ground truth, or the comparison failed).
        All floats, because verl averages every value over the validation set.
    """
    try:
        answer = extract_answer(solution_str)
        if answer is None:
            return _scores(Verdict(False), format_ok=False)
        return _scores(await shared_pool().grade_async(answer, ground_truth), format_ok=bool(answer))
    except Exception:
        return _scores(Verdict(False, error=True), format_ok=False)


def grade(solution_str: str, ground_truth: Any) -> dict[str, float]:
    """``compute_score`` for a thread: the same dict, blocking."""
    try:
        answer = extract_answer(solution_str)
        if answer is None:
            return _scores(Verdict(False), format_ok=False)
        return _scores(shared_pool().grade(answer, ground_truth), format_ok=bool(answer))
    except Exception:
        return _scores(Verdict(False, error=True), format_ok=False)


def _scores(verdict: Verdict, format_ok: bool) -> dict[str, float]:
    return {
        "score": float(verdict.correct),
        "acc": float(verdict.correct),
        "format_ok": float(format_ok),
        "timed_out": float(verdict.timed_out),
        "error": float(verdict.error),
    }
