"""Equal answers vote together."""

import random

from gmpo_verl.evaluation.majority import group_answers, majority
from gmpo_verl.evaluation.scoring import NO_ANSWER


def test_spellings_of_one_value_are_one_group():
    groups = group_answers(["1/2", "0.5", r"\frac{1}{2}", "3", None])
    assert groups[0] == groups[1] == groups[2] != groups[3]
    assert groups[4] == NO_ANSWER


def test_what_text_does_not_decide_is_compared_as_mathematics():
    groups = group_answers([r"\sqrt{8}", r"2\sqrt{2}", r"(x+1)^2", r"x^2+2x+1"])
    assert groups[0] == groups[1] != groups[2] == groups[3]


def test_groups_do_not_depend_on_the_order():
    answers = ["1/2", "0.5", "2", "2.0", "x", None, "1/2", "2", "2"]
    expected = dict(zip(answers, group_answers(answers), strict=True))
    for seed in range(5):
        shuffled = random.Random(seed).sample(answers, len(answers))
        assert dict(zip(shuffled, group_answers(shuffled), strict=True)) == expected


def test_the_majority_counts_all_spellings_and_names_the_most_frequent():
    assert majority(["0.5", "3", "1/2", "3", "1/2"]) == ("1/2", 3)


def test_a_tie_goes_to_the_more_frequent_spelling_then_to_the_first():
    assert majority(["7", "7", "0.5", "1/2"]) == ("7", 2)
    assert majority(["b", "a"]) == ("a", 1)


def test_without_answers_there_is_no_majority():
    assert majority([None, None]) is None
    assert majority([]) is None
