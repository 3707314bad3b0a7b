"""Answers that are equal as mathematics, put together."""

from collections import Counter
from collections.abc import Callable, Sequence

from gmpo_verl.evaluation.scoring import NO_ANSWER

Equal = Callable[[str, str], bool]


def group_answers(answers: Sequence[str | None], equal: Equal | None = None) -> list[int]:
    """Of each answer the number of its group; NO_ANSWER where there is none.

    Groups do not depend on the order of the answers: the most frequent spelling opens the first group, each further one
    joins the first group whose opening spelling it equals, or opens its own. `equal(answer, opening)` is by default
    the reward's comparison, in processes that are killed at a deadline.
    """
    equal = equal or equal_by_the_reward
    counts = Counter(answer for answer in answers if answer is not None)
    openings: list[str] = []
    groups: dict[str | None, int] = {None: NO_ANSWER}
    for spelling in sorted(counts, key=lambda text: (-counts[text], len(text), text)):
        found = next((number for number, opening in enumerate(openings) if equal(spelling, opening)), None)
        if found is None:
            found = len(openings)
            openings.append(spelling)
        groups[spelling] = found
    return [groups[answer] for answer in answers]


def equal_by_the_reward(answer: str, opening: str) -> bool:
    """Whether the reward takes one answer for the other."""
    from gmpo_verl.rewards.grading_pool import shared_pool

    return answer == opening or shared_pool().grade(answer, opening).correct


def majority(answers: Sequence[str | None], equal: Equal | None = None) -> tuple[str, int] | None:
    """The most frequent answer in its most frequent spelling, and how many gave it; None where nobody answers.

    Of groups of the same size the one with the more frequent spelling, then the shorter and alphabetically first.
    """
    groups = group_answers(answers, equal)
    sizes = Counter(group for group in groups if group != NO_ANSWER)
    if not sizes:
        return None
    winner = min(sizes, key=lambda group: (-sizes[group], group))
    spellings = Counter(answer for answer, group in zip(answers, groups, strict=True) if group == winner and answer)
    return min(spellings, key=lambda text: (-spellings[text], len(text), text)), sizes[winner]
