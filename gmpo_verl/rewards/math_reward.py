"""verl's entry: the score of one response against its ground truth."""

from collections.abc import Mapping
from typing import Any

from gmpo_verl.rewards.answer import Template, read_response, template_of
from gmpo_verl.rewards.countdown import goal_of
from gmpo_verl.rewards.grading_pool import Verdict, shared_pool


async def compute_score(
    data_source: str, solution_str: str, ground_truth: Any, extra_info: Mapping[str, Any] | None = None, **_: Any
) -> dict[str, float]:
    """1 for a right answer in the form that its prompt asked for, else 0; what cannot be graded is counted.

    Args:
        ground_truth: a string, a number, or a list of acceptable strings; ``countdown: 26 from 3 7 5`` asks for an
            expression that reaches the target (``rewards.countdown``).
        extra_info: ``template`` names the prompt's form: ``qwen_math`` (a box, the default), ``r1`` or ``none``.

    Returns:
        ``score`` and ``acc`` (1 or 0), and as 1 or 0: ``format_ok`` (the template's form is there), ``timed_out`` (the
        comparison was killed at its deadline), ``error`` (no usable ground truth, or the comparison failed).
        All floats, because verl averages every value over the validation set.

    Raises:
        ValueError: the template is none of these: the data set was prepared wrongly, and every score would be.
    """
    template = template_of((extra_info or {}).get("template"))
    try:
        answer, format_ok = read_response(solution_str, template)
        verdict = _by_text(answer, ground_truth) or await shared_pool().grade_async(answer or "", ground_truth)
        return _scores(verdict, format_ok)
    except Exception:  # whatever untrusted text sets off is counted as an error
        return _scores(Verdict(False, error=True), format_ok=False)


def grade(solution_str: str, ground_truth: Any, template: Template | None = None) -> dict[str, float]:
    """``compute_score`` for a thread: the same dict, blocking."""
    template = template_of(template)
    try:
        answer, format_ok = read_response(solution_str, template)
        verdict = _by_text(answer, ground_truth) or shared_pool().grade(answer or "", ground_truth)
        return _scores(verdict, format_ok)
    except Exception:  # as above
        return _scores(Verdict(False, error=True), format_ok=False)


def _by_text(answer: str | None, ground_truth: Any) -> Verdict | None:
    """The verdict where no mathematics needs to be compared; None where it does."""
    if answer is None:
        return Verdict(False)
    goal = goal_of(ground_truth)
    return Verdict(goal.is_reached(answer)) if goal else None


def _scores(verdict: Verdict, format_ok: bool) -> dict[str, float]:
    return {
        "score": float(verdict.correct),
        "acc": float(verdict.correct),
        "format_ok": float(format_ok),
        "timed_out": float(verdict.timed_out),
        "error": float(verdict.error),
    }
