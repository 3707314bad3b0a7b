"""Intervals: what they cover, and on what they do not depend."""

import numpy as np
import pytest

from gmpo_verl.evaluation.bootstrap import estimate, estimate_average


def test_the_value_is_the_mean_and_lies_in_its_interval():
    result = estimate([1, 0, 0, 1, 1])
    assert result.value == pytest.approx(0.6)
    assert result.low < 0.6 < result.high


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        result = estimate(rng.random(60) < 0.4)
        covered += result.low <= 0.4 <= result.high
    assert 0.90 <= covered / 200 <= 0.99


def test_the_width_is_that_of_the_normal_approximation_for_many_problems():
    values = np.repeat([1.0, 0.0], [300, 200])
    result = estimate(values)
    assert result.high - result.low == pytest.approx(2 * 1.96 * np.sqrt(0.6 * 0.4 / 500), rel=0.05)


def test_it_does_not_depend_on_order_and_repeats():
    values = list(np.random.default_rng(2).random(50))
    assert estimate(values) == estimate(values[::-1]) == estimate(values)


def test_equal_values_have_no_width():
    assert estimate([0.0] * 30) == (0, 0, 0)


def test_the_average_weighs_benchmarks_equally_and_is_surer_than_the_smallest():
    small, large = [1, 0] * 15, [1, 1, 0, 0] * 100
    average = estimate_average([small, large])
    assert average.value == pytest.approx(0.5)
    assert average.high - average.low < estimate(small).high - estimate(small).low
    # Independent benchmarks: variances add, divided by their number squared.
    width = 2 * 1.96 * np.sqrt(0.25 / 30 + 0.25 / 400) / 2
    assert average.high - average.low == pytest.approx(width, rel=0.1)


@pytest.mark.parametrize("values", [[], [[1.0], []]])
def test_nothing_has_no_estimate(values):
    with pytest.raises(ValueError, match="at least one value"):
        estimate_average(values)
