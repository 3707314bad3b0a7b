"""A curve is the mean and the range of a group's seeds, and thinning keeps what stands out."""

import math

from hypothesis import given
from hypothesis import strategies as st
from runs_on_disk import run_of

from gmpo_verl.reporting.curves import Curve, curve, thinned
from gmpo_verl.reporting.groups import Group


def test_a_curve_is_mean_and_range_over_the_runs_that_have_the_step() -> None:
    group = Group("g", [run_of("a", m=[1.0, 2.0, 3.0]), run_of("b", m=[3.0, math.nan]), run_of("c", other=[1.0])])
    found = curve(group, "m")
    assert found is not None
    assert found.steps == (1, 2, 3)
    assert found.mean == (2.0, 2.0, 3.0)
    assert found.low == (1.0, 2.0, 3.0)
    assert found.high == (3.0, 2.0, 3.0)
    assert found.runs == 2


def test_a_step_without_a_finite_value_is_a_gap() -> None:
    found = curve(Group("g", [run_of(m=[math.nan, 1.0, math.inf])]), "m")
    assert found is not None
    assert found.mean == (None, 1.0, None)
    assert (found.first, found.last) == ((2, 1.0), (2, 1.0))


def test_a_metric_that_no_run_has_is_no_curve() -> None:
    assert curve(Group("g", [run_of(m=[1.0])]), "absent") is None


@given(st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(4, 50))
def test_thinning_keeps_the_ends_and_the_extremes_and_adds_nothing(values: list[float | None], limit: int) -> None:
    whole = Curve(tuple(range(len(values))), tuple(values), tuple(values), tuple(values), 1)
    found = thinned(whole, limit)
    assert len(found.steps) <= limit + 3
    assert set(zip(found.steps, found.mean, strict=True)) <= set(zip(whole.steps, whole.mean, strict=True))
    assert (found.steps[0], found.steps[-1]) == (0, len(values) - 1)
    finite = [value for value in values if value is not None]
    if finite:
        kept = [value for value in found.mean if value is not None]
        assert (min(kept), max(kept)) == (min(finite), max(finite))
