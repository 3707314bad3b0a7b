"""pass@k and maj@k against enumeration."""

from itertools import combinations
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmpo_verl.evaluation.scoring import NO_ANSWER, majority_at_k, pass_at_k, sample_counts


@given(st.integers(1, 9), st.data())
def test_pass_at_k_is_the_share_of_subsets_with_a_right_answer(n, data):
    correct, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    verdicts = [True] * correct + [False] * (n - correct)
    subsets = list(combinations(verdicts, k))
    assert pass_at_k(correct, n, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_pass_at_1_is_the_accuracy_and_pass_at_n_asks_for_one():
    assert pass_at_k(3, 16, 1) == 3 / 16
    assert pass_at_k(1, 16, 16) == 1
    assert pass_at_k(0, 16, 16) == 0


@pytest.mark.parametrize(("correct", "n", "k"), [(1, 4, 0), (1, 4, 5), (5, 4, 1), (-1, 4, 1)])
def test_impossible_counts_are_refused(correct, n, k):
    with pytest.raises(ValueError, match="does not exist"):
        pass_at_k(correct, n, k)


def naive_majority(groups, correct, k):
    """One group at a time, from the definition."""

    def value(subset):
        votes = [groups[i] for i in subset if groups[i] != NO_ANSWER]
        if not votes:
            return 0.0
        most = max(map(votes.count, votes))
        winners = [group for group in set(votes) if votes.count(group) == most]
        return fmean(fmean(c for g, c in zip(groups, correct, strict=True) if g == group) for group in winners)

    return fmean(map(value, combinations(range(len(groups)), k)))


@given(st.lists(st.tuples(st.integers(NO_ANSWER, 3), st.booleans()), min_size=1, max_size=8), st.data())
def test_majority_is_the_mean_over_subsets_of_the_most_frequent_answers(answers, data):
    groups, correct = [group for group, _ in answers], [right for _, right in answers]
    k = data.draw(st.integers(1, len(groups)))
    assert majority_at_k(groups, correct, k) == pytest.approx(naive_majority(groups, correct, k))


def test_majority_of_all_answers_and_of_single_ones():
    groups, correct = [0, 0, 0, 1, 1, NO_ANSWER], [True, True, True, False, False, False]
    assert majority_at_k(groups, correct, 6) == 1
    assert majority_at_k(groups, correct, 1) == pytest.approx(3 / 6)


def test_a_tie_is_shared():
    assert majority_at_k([0, 1], [True, False], 2) == 0.5


def test_no_answers_have_no_vote():
    assert majority_at_k([NO_ANSWER, NO_ANSWER, 0], [False, False, True], 3) == 1
    assert majority_at_k([NO_ANSWER, NO_ANSWER], [False, False], 2) == 0


def test_many_subsets_are_drawn_always_the_same_and_close_to_the_truth():
    groups, correct = [0] * 20 + [1] * 12, [True] * 20 + [False] * 12
    drawn = majority_at_k(groups, correct, 5)
    assert drawn == majority_at_k(groups, correct, 5)
    # A majority of 5 drawn from 20 right and 12 wrong: hypergeometric.
    from math import comb

    exact = sum(comb(20, r) * comb(12, 5 - r) for r in (3, 4, 5)) / comb(32, 5)
    assert drawn == pytest.approx(exact, abs=0.05)


def test_counts_are_powers_of_two_and_n():
    assert sample_counts(1) == [1]
    assert sample_counts(6) == [1, 2, 4, 6]
    assert sample_counts(16) == [1, 2, 4, 8, 16]
