"""The tables, on metrics whose figures are known."""

import pytest
from design import Study
from made_up_runs import leave_run
from measures import read_result
from table import DIFFERENCES, main, mean_and_error, mean_and_interval, paired_differences, read_results, table

ACCURACY = DIFFERENCES[0][1]


def test_the_figures_of_a_run_are_those_of_its_metrics(tmp_path):
    folder = leave_run(tmp_path, "a", 3, [0.1, 0.4, 0.6, 0.8], high=2.0, low=-3.0, entropy=0.25, norms=[1.0, 3.0])
    result = read_result(folder)
    assert (result.seed, result.start, result.accuracy) == (3, 0.1, 0.8)
    assert (result.log_ratio_high, result.log_ratio_low, result.entropy) == (2.0, -3.0, 0.25)
    assert result.gradient_spread == pytest.approx(0.5)
    assert result.late_accuracy == pytest.approx(0.6)
    assert result.clipped == pytest.approx(0.025)  # on the high side in every second of ten rounds
    assert not result.collapsed


def test_entropy_is_that_of_the_middle_of_the_run(tmp_path):
    folder = leave_run(tmp_path, "a", 0, [0.1], rewards=[0.5] * 100)
    text = (folder / "metrics.jsonl").read_text().splitlines()
    changed = [line.replace('"actor/entropy": 0.5', f'"actor/entropy": {step}') for step, line in enumerate(text)]
    (folder / "metrics.jsonl").write_text("\n".join(changed))
    assert read_result(folder).entropy == 50


@pytest.mark.parametrize(
    ("rewards", "exit_code", "collapsed"),
    [
        ([0.1] * 10 + [0.9] * 10, 0, False),
        ([0.1] * 10 + [0.9] * 10 + [0.5] * 10, 0, False),
        ([0.1] * 10 + [0.9] * 10 + [0.4] * 10, 0, True),
        ([0.9] * 30, 1, True),
    ],
)
def test_a_run_has_collapsed_when_it_lost_half_of_its_reward_or_was_stopped(tmp_path, rewards, exit_code, collapsed):
    assert read_result(leave_run(tmp_path, "a", 0, [0.5], rewards=rewards, exit_code=exit_code)).collapsed is collapsed


def test_mean_and_standard_error_are_those_of_a_textbook():
    mean, error = mean_and_error([1.0, 2.0, 3.0, 4.0])
    assert (mean, error) == (2.5, pytest.approx((5 / 3) ** 0.5 / 2))
    assert mean_and_error([7.0]) == (7.0, None)


def test_a_difference_that_all_seeds_share_has_an_interval_without_width(tmp_path):
    for seed, accuracy in enumerate([0.2, 0.5, 0.9]):
        leave_run(tmp_path, "first", seed, [0.1, accuracy])
        leave_run(tmp_path, "other", seed, [0.1, accuracy + 0.05])
    results = read_results(tmp_path)
    differences = paired_differences(results["other"], results["first"], ACCURACY)
    assert mean_and_interval(differences, "+.3f") == "+0.050 (+0.050 to +0.050)"


def test_an_interval_covers_zero_where_the_seeds_disagree(tmp_path):
    for seed, difference in enumerate([-0.1, 0.1, -0.1, 0.1]):
        leave_run(tmp_path, "first", seed, [0.1, 0.5])
        leave_run(tmp_path, "other", seed, [0.1, 0.5 + difference])
    results = read_results(tmp_path)
    differences = paired_differences(results["other"], results["first"], ACCURACY)
    assert mean_and_interval(differences, "+.1f") == "+0.0 (-0.1 to +0.1)"


def test_only_seeds_that_both_arms_have_are_compared(tmp_path):
    leave_run(tmp_path, "first", 0, [0.1, 0.5])
    leave_run(tmp_path, "first", 1, [0.1, 0.9])
    leave_run(tmp_path, "other", 0, [0.1, 0.6])
    results = read_results(tmp_path)
    assert paired_differences(results["other"], results["first"], ACCURACY) == [pytest.approx(0.1)]
    leave_run(tmp_path, "third", 2, [0.1, 0.6])
    assert paired_differences(read_results(tmp_path)["third"], results["first"], ACCURACY) == []


def test_the_table_says_how_much_of_the_study_is_done(tmp_path):
    leave_run(tmp_path, "gmpo", 0, [0.1, 0.7], seconds=120)
    leave_run(tmp_path, "grpo", 0, [0.1, 0.5], rewards=[0.9] * 10 + [0.1] * 10)
    for other in ("gmpo", "grpo"):  # a seed that another study has
        leave_run(tmp_path, other, 7, [0.1, 0.1])
    text = table(Study("core", 5, ("gmpo", "grpo", "hmpo")), read_results(tmp_path))
    assert "## core: 2 of 15 runs" in text
    assert "`scripts/reproduce_stability.sh core`: 3 min, at c0ffee, on abacus." in text
    gmpo, grpo = (line for line in text.splitlines() if line.startswith(("| gmpo", "| grpo")) and " | 1 | " in line)
    assert "| 0.700 |" in gmpo and gmpo.endswith("| 0 | 2.0 |")
    assert "| 0.500 |" in grpo and "| 1 | 1.0 |" in grpo
    assert "| grpo | -0.200 | " in text  # of one seed no interval


def test_the_command_writes_the_tables_beside_the_runs(tmp_path, capsys):
    assert main(["--results", str(tmp_path)]) == 2
    leave_run(tmp_path, "gmpo", 0, [0.1, 0.7])
    assert main(["--results", str(tmp_path)]) == 0
    assert "## core: 1 of 10 runs" in (tmp_path / "tables.md").read_text() in capsys.readouterr().out
