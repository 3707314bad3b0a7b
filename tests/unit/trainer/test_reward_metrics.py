"""Fractions of a batch's grading."""

from gmpo_verl.trainer.reward_metrics import reward_fractions, validation_means


def test_fractions_are_over_the_rows_that_were_graded():
    rows = [
        {"reward_extra_info": {"timed_out": 1.0, "error": 0.0, "format_ok": 0.0, "truncated": 1.0}},
        {"reward_extra_info": {"timed_out": 0.0, "error": 0.0, "format_ok": 1.0, "truncated": 0.0}},
        {},
        None,
    ]
    assert reward_fractions(rows) == {
        "reward/timeout_frac": 0.5,
        "reward/error_frac": 0.0,
        "reward/format_frac": 0.5,
        "reward/truncated_frac": 0.5,
    }


def test_a_foreign_reward_function_has_no_fractions():
    assert reward_fractions([{"reward_extra_info": {"acc": 1.0}}, {"reward_extra_info": {}}]) == {}


def test_validation_means_are_by_benchmark_and_leave_the_accuracy_to_verl():
    values = {"acc": [1.0, 0.0, 1.0], "format_ok": [1.0, 0.0, 1.0], "note": ["x", "y", "z"]}
    assert validation_means(["a", "a", "b"], values) == {
        "val-aux/a/format_ok/mean": 0.5,
        "val-aux/b/format_ok/mean": 1.0,
    }
