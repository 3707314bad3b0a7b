"""A batch whose answers cannot be graded is reported, or ends the run."""

import pytest

from gmpo_verl.trainer.guards import TrainingStoppedError
from gmpo_verl.trainer.reward_health import check_grading


def batch(graded: int, timed_out: int = 0, errors: int = 0) -> list[dict[str, dict[str, float | str]]]:
    rows = [{"timed_out": 0.0, "error": 0.0, "grading_failure": ""}] * graded
    rows += [{"timed_out": 1.0, "error": 0.0, "grading_failure": f"2^{{{i}!!}} against 7"} for i in range(timed_out)]
    rows += [{"timed_out": 0.0, "error": 1.0, "grading_failure": f"x+{i} against None"} for i in range(errors)]
    return [{"reward_extra_info": row} for row in rows]


def warnings_of(extra_fields: list[dict[str, dict[str, float | str]]]) -> list[str]:
    warnings: list[str] = []
    check_grading(extra_fields, step=7, warn=warnings.append)
    return warnings


def test_up_to_a_fifth_of_failures_is_quiet():
    assert warnings_of(batch(graded=8, timed_out=1, errors=1)) == []
    assert warnings_of([]) == []


def test_more_than_a_fifth_is_one_warning_with_three_examples():
    assert warnings_of(batch(graded=15, timed_out=2, errors=3)) == [
        "step 7: 5 of 20 answers could not be graded (2 at the deadline), so their reward is 0, "
        "for example 2^{0!!} against 7; 2^{1!!} against 7; x+0 against None"
    ]


def test_up_to_four_fifths_goes_on_and_more_ends_the_run():
    assert len(warnings_of(batch(graded=2, timed_out=4, errors=4))) == 1
    with pytest.raises(TrainingStoppedError, match=r"step 7: 9 of 10 answers .* x\+0 against None.*ground_truth"):
        warnings_of(batch(graded=1, errors=9))


def test_equal_failures_are_one_example():
    assert warnings_of(batch(1, timed_out=1) * 3)[0].count("against") == 1


def test_rows_of_another_reward_function_are_not_judged():
    assert warnings_of([{"reward_extra_info": {"acc": 0.0}}, {}]) == []
    assert "for example" not in warnings_of([{"reward_extra_info": {"error": 1.0}}, {"reward_extra_info": {}}])[0]
