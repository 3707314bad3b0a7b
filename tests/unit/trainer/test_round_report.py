"""A round's metrics do not depend on how many calls of `update_actor` it was made in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmpo_verl.algorithms.loss_metrics import update_metrics
from gmpo_verl.trainer.round_report import RoundReport
from gmpo_verl.trainer.update_statistics import UpdateStatistics

NAMES = ("advantage", "log_ratio_sum", "log_ratio_min", "log_ratio_max", "clipped_high", "clipped_low", "clamped")


def statistics(responses: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {"length": random.integers(0, 9, responses)} | {name: random.normal(size=responses) for name in NAMES}


def call(by_name: dict[str, np.ndarray], rows: range) -> UpdateStatistics:
    updates = UpdateStatistics()
    updates.by_name = {name: values[rows.start : rows.stop] for name, values in by_name.items()}
    updates.by_response = {f"prompt_{row}_0": {"advantage": by_name["advantage"][row]} for row in rows}
    return updates


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(0, 99))
def test_calls_are_joined_over_all_their_responses(sizes, seed):
    by_name = statistics(sum(sizes), seed)
    report, first = RoundReport(), 0
    for size in sizes:
        report.add_update(call(by_name, range(first, first + size)))
        first += size
    assert report.metrics() == update_metrics(by_name)
    assert report.by_response == call(by_name, range(first)).by_response


def test_means_weigh_what_they_were_taken_over():
    report = RoundReport()
    report.add_mean("gmpo/kl_to_ref", 1.0, 30)
    report.add_mean("gmpo/kl_to_ref", 4.0, 10)
    report.add_mean("gmpo/pruned_frac", 0.5, 64)
    assert report.metrics() == pytest.approx({"gmpo/kl_to_ref": 1.75, "gmpo/pruned_frac": 0.5})


def test_a_round_without_an_update_has_no_metrics():
    assert RoundReport().metrics() == {}
