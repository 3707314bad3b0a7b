"""A question that text alone does not decide, and the verdict that somebody waits for."""

from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import NamedTuple


class Verdict(NamedTuple):
    correct: bool
    timed_out: bool = False  # the comparison was ended at its deadline
    error: bool = False  # no usable ground truth, or the comparison could not be carried out


TIMED_OUT = Verdict(False, timed_out=True)
ERROR = Verdict(False, error=True)


def shared_future() -> Future[Verdict]:
    """A future that none of those who wait for it can cancel for the others."""
    future: Future[Verdict] = Future()
    future.set_running_or_notify_cancel()
    return future


@dataclass(eq=False)
class Question:
    """Whether the answer equals any one of the accepted ones."""

    answer: str
    accepted: tuple[str, ...]
    verdict: Future[Verdict] = field(default_factory=shared_future)
    deaths: int = 0  # of processes that were grading it
    losses: int = 0  # times it was dealt to a process that never began

    def resolve(self, verdict: Verdict) -> None:
        """The first verdict counts."""
        try:
            self.verdict.set_result(verdict)
        except InvalidStateError:
            assert self.verdict.done()
