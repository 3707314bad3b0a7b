"""What is drawn against the exponent is what the runs of that exponent have left."""

import pytest
from design import Study
from exponents import exponent_figures
from made_up_runs import leave_run

STUDY = Study("exponents", 2, ("gmpo", "power-2", "hmpo", "power-annealed"))


def test_means_and_errors_stand_at_the_exponents_in_their_order(tmp_path):
    leave_run(tmp_path, "gmpo", 0, [0.1, 0.6], high=1.0, low=-1.0)
    leave_run(tmp_path, "gmpo", 1, [0.1, 0.8], high=1.0, low=-2.0)
    leave_run(tmp_path, "gmpo", 2, [0.1, 0.0])  # a seed of another study
    leave_run(tmp_path, "power-2", 0, [0.1, 0.5], exponent=2.0, high=4.0, low=-4.0)
    leave_run(tmp_path, "hmpo", 0, [0.1, 0.4], exponent=-1.0)
    accuracy, ranges = (figure.plot.data[0] for figure in exponent_figures(STUDY, tmp_path))
    assert list(accuracy.x) == [-1, 0, 2]
    assert list(accuracy.y) == pytest.approx([0.4, 0.7, 0.5])
    assert list(accuracy.error_y.array) == pytest.approx([0, 0.1, 0])
    assert list(ranges.y) == pytest.approx([2, 2.5, 8])


def test_an_annealed_exponent_is_a_line_of_its_own(tmp_path):
    leave_run(tmp_path, "gmpo", 0, [0.1, 0.6])
    leave_run(tmp_path, "power-annealed", 0, [0.1, 0.9], exponent=2.0, exponent_rounds=80)
    accuracy, _ = exponent_figures(STUDY, tmp_path)
    assert list(accuracy.plot.data[0].x) == [0]
    assert accuracy.plot.layout.shapes[0].y0 == accuracy.plot.layout.shapes[0].y1 == pytest.approx(0.9)
    assert "0.9 annealed" in accuracy.alt


def test_nothing_is_drawn_before_a_run_is_done(tmp_path):
    assert exponent_figures(STUDY, tmp_path) == []
