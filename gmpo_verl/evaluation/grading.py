"""Verdicts on answers, by the reward of training."""

import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from gmpo_verl.rewards.answer import Template, read_response


@dataclass(frozen=True)
class Verdict:
    """One graded answer.

    `correct` is the verdict on the answer itself, as verl's validation accuracy and the official evaluator have it.
    `score` is training's reward: 0 for a response that was cut off, whatever it says.
    """

    correct: bool
    answer: str | None  # as extracted from the response
    format_ok: bool
    ungraded: bool  # the comparison timed out or failed
    truncated: bool | None  # None where that is not known
    tokens: int | None

    @property
    def score(self) -> float:
        return float(self.correct and not self.truncated)


class Grading:
    """Grades while answers are still being generated: `submit` at once returns a future. A context manager."""

    def __init__(self) -> None:
        os.environ.setdefault("GMPO_GRADERS", str(min(8, max(1, len(os.sched_getaffinity(0)) // 2))))
        self._threads = ThreadPoolExecutor(2 * int(os.environ["GMPO_GRADERS"]), thread_name_prefix="grading")

    def submit(self, response: Mapping[str, Any], ground_truth: Any, template: Template) -> Future[Verdict]:
        """`response` has `response` (text), and where known `truncated` and `tokens`."""
        return self._threads.submit(_verdict, response, ground_truth, template)

    def __enter__(self) -> "Grading":
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _verdict(response: Mapping[str, Any], ground_truth: Any, template: Template) -> Verdict:
    from gmpo_verl.rewards.math_reward import grade

    scores = grade(response["response"], ground_truth, template)
    return Verdict(
        correct=scores["acc"] == 1,
        answer=read_response(response["response"], template).answer,
        format_ok=scores["format_ok"] == 1,
        ungraded=scores["timed_out"] == 1 or scores["error"] == 1,
        truncated=response.get("truncated"),
        tokens=response.get("tokens"),
    )
