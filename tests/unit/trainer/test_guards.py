"""The guards: rollouts from other weights, updates that are not finite."""

import math

import pytest

from gmpo_verl.trainer.guards import CORRELATION, STALENESS, NonFiniteGuard, TrainingStoppedError, check_rollout_weights


def warnings_for(metrics: dict[str, float]) -> list[str]:
    warnings: list[str] = []
    check_rollout_weights(metrics, 7, warnings.append)
    return warnings


def test_a_low_correlation_warns_and_a_lower_one_stops():
    assert warnings_for({CORRELATION: 0.95}) == []
    (warning,) = warnings_for({CORRELATION: 0.94})
    assert "step 7" in warning and "0.940" in warning
    with pytest.raises(TrainingStoppedError, match="do not come from the actor's weights"):
        warnings_for({CORRELATION: 0.49})


@pytest.mark.parametrize("metrics", [{}, {CORRELATION: math.nan}, {CORRELATION: math.nan, STALENESS: 1}])
def test_what_was_not_measured_is_no_finding(metrics):
    assert warnings_for(metrics) == []


def test_rollouts_of_an_older_version_may_differ_and_never_stop_a_run():
    assert warnings_for({CORRELATION: 0.5, STALENESS: 1}) == []
    (warning,) = warnings_for({CORRELATION: 0.1, STALENESS: 2})
    assert "0.100" in warning and "up to 2 versions old" in warning


def test_a_response_begun_by_older_weights_counts_as_stale():
    assert warnings_for({CORRELATION: 0.6, STALENESS: 1, "training/off_policy/trajectory_staleness/max": 0}) == []


def test_three_non_finite_updates_in_a_row_stop_the_run_and_two_are_counted():
    guard, warnings = NonFiniteGuard(), []
    counted = []
    for norm in (math.nan, math.inf, 1.0, math.nan, math.nan):
        metrics = {"actor/grad_norm": norm, "actor/pg_loss": 0.0}
        guard.check(metrics, 1, warnings.append)
        counted.append(metrics["training/non_finite_update"])
    assert counted == [1, 1, 0, 1, 1]
    assert len(warnings) == 4
    with pytest.raises(TrainingStoppedError, match="3 rounds in a row"):
        guard.check({"actor/grad_norm": math.nan}, 2, warnings.append)


def test_a_non_finite_loss_counts_too():
    metrics = {"actor/grad_norm": 1.0, "actor/pg_loss": math.nan}
    NonFiniteGuard().check(metrics, 1, lambda _: None)
    assert metrics["training/non_finite_update"] == 1
