"""Which rows of a source become problems, and an account of those that do not."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from gmpo_verl.data.held_out import benchmark_of, digest
from gmpo_verl.data.images import stored_image
from gmpo_verl.data.sets.data_set import DataSet, Problem, UnusableRowError
from gmpo_verl.data.sources import Row, Source, Split
from gmpo_verl.rewards.answer import extract_answer
from gmpo_verl.rewards.equivalence import acceptable_answers

Places = dict[str, list[int]]  # a split's rows, counted from 0


@dataclass
class Account:
    """What became of the rows of a source."""

    rows_in: int = 0
    rows_out: int = 0
    left_out: dict[str, Places] = field(default_factory=dict)  # by reason: no part of the set
    dropped: dict[str, Places] = field(default_factory=dict)  # by reason: of the set, and of no use
    digests: set[str] = field(default_factory=set)  # of the texts of the set's problems

    @property
    def rows_of_set(self) -> int:
        return self.rows_in - sum(map(_count, self.left_out.values()))

    def as_json(self) -> dict[str, Any]:
        return {
            "rows_in": self.rows_in,
            "rows_of_set": self.rows_of_set,
            "distinct_problems": len(self.digests),
            "rows_out": self.rows_out,
            "left_out": _listed(self.left_out),
            "dropped": _listed(self.dropped),
        }


@dataclass(frozen=True)
class Chosen:
    """A problem with the answers of which any one is right, and its place in the source."""

    problem: Problem
    accepted: tuple[str, ...]
    split: str
    index: int


def choose(data_set: DataSet, source: Source, split: Split, account: Account) -> Iterator[Chosen]:
    """The problems of a split, in order. The account is kept up on the way."""
    for index, row in enumerate(split.read()):
        account.rows_in += 1
        try:
            reason = data_set.leave_out(row)
            if reason is None:
                problem = _problem(data_set, row)
                reason = _held_out(data_set, problem)
            if reason is not None:
                account.left_out.setdefault(reason, {}).setdefault(split.name, []).append(index)
                continue
            account.digests.add(digest(problem.text))
            chosen = Chosen(_with_images(problem, source), _usable_answers(problem.answer), split.name, index)
        except UnusableRowError as error:
            account.dropped.setdefault(str(error), {}).setdefault(split.name, []).append(index)
            continue
        account.rows_out += 1
        yield chosen


def _problem(data_set: DataSet, row: Row) -> Problem:
    problem = data_set.read(row)
    if not isinstance(problem.text, str) or not problem.text.strip():
        raise UnusableRowError("no problem text")
    if not _is_unicode(problem.text):
        raise UnusableRowError("the problem is no Unicode text")
    return problem


def _held_out(data_set: DataSet, problem: Problem) -> str | None:
    benchmark = benchmark_of(problem.text, data_set.held_out)
    return f"in the benchmark {benchmark}" if benchmark else None


def _usable_answers(answer: Any) -> tuple[str, ...]:
    """Those that the reward can compare with: it reads every answer out of a box."""
    accepted = acceptable_answers(answer)
    if not accepted:
        raise UnusableRowError("no answer")
    usable = tuple(text for text in accepted if _is_unicode(text) and extract_answer(rf"\boxed{{{text}}}"))
    if not usable:
        raise UnusableRowError("no box can hold the answer: its braces do not match, or it is too long")
    return usable


def _with_images(problem: Problem, source: Source) -> Problem:
    if problem.images is None:
        return problem
    return replace(problem, images=[stored_image(image, source.folder) for image in problem.images])


def _is_unicode(text: str) -> bool:
    """JSON can hold half of a surrogate pair, which no file can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _count(places: Places) -> int:
    return sum(map(len, places.values()))


def _listed(reasons: dict[str, Places]) -> list[dict[str, Any]]:
    return [{"reason": reason, "count": _count(places), "rows": places} for reason, places in reasons.items()]
