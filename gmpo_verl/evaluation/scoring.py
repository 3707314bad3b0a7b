"""The figures of one benchmark from the verdicts on its answers; each is a mean of one number a problem.

Shapes: n answers of a problem, g groups of equal ones, s subsets. Everything here is a fraction from 0 to 1 and does
not depend on the order in which answers came.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np

# Votes among k of n answers: all subsets where there are few, else this many drawn ones.
_MAX_SUBSETS = 1000
_SUBSET_SEED = 0

NO_ANSWER = -1  # the group of a response that states no answer: it has no vote


def pass_at_k(correct: int, n: int, k: int) -> float:
    """The chance that at least one of `k` answers, drawn from `n` of which `correct` are right, is right.

    1 - C(n - c, k) / C(n, k), which is unbiased (Chen et al. 2021, arXiv 2107.03374, section 2.1).

    Raises:
        ValueError: not 0 <= correct <= n, or not 1 <= k <= n.
    """
    if not 0 <= correct <= n or not 1 <= k <= n:
        raise ValueError(f"pass@{k} of {n} answers, {correct} right, does not exist")
    return 1.0 - math.comb(n - correct, k) / math.comb(n, k)


def majority_at_k(groups: Sequence[int], correct: Sequence[bool], k: int) -> float:
    """The chance that the most frequent answer among `k` of the answers is right.

    Args:
        groups: of each answer [n] a number, equal for equal answers; NO_ANSWER has no vote.
        correct: the verdict on each answer [n]. A group counts as right by the share of its right answers.
        k: 1 to n. Over all subsets of k answers, or over 1,000 of them (always the same) where there are more.

    Groups of the same size share the vote. Without any vote the value is 0.
    """
    n = len(groups)
    if len(correct) != n or not 1 <= k <= n:
        raise ValueError(f"maj@{k} of {n} answers with {len(correct)} verdicts does not exist")
    groups_n, correct_n = np.asarray(groups), np.asarray(correct, dtype=np.float64)
    names_g = np.unique(groups_n[groups_n != NO_ANSWER])
    if names_g.size == 0:
        return 0.0
    is_of_ng = groups_n[:, None] == names_g
    right_g = (correct_n @ is_of_ng) / is_of_ng.sum(axis=0)
    votes_sg = is_of_ng[_subsets(n, k)].sum(axis=1)
    most_s1 = votes_sg.max(axis=1, keepdims=True)
    wins_sg = (votes_sg == most_s1) & (most_s1 > 0)
    return float(((wins_sg @ right_g) / np.maximum(wins_sg.sum(axis=1), 1)).mean())


@lru_cache(maxsize=64)
def _subsets(n: int, k: int) -> np.ndarray:
    """[subsets, k] positions among n."""
    if math.comb(n, k) <= _MAX_SUBSETS:
        return np.array(list(combinations(range(n), k)))
    rng = np.random.default_rng(_SUBSET_SEED)
    return np.array([rng.choice(n, size=k, replace=False) for _ in range(_MAX_SUBSETS)])


def sample_counts(n: int) -> list[int]:
    """The k for which pass@k and maj@k are given: 1, 2, 4, ... and n itself."""
    return sorted({2**power for power in range(n.bit_length()) if 2**power <= n} | {n})
