"""Figures show what the metrics say, of one run and of several, and are left out without data."""

import math
from typing import Any

import pytest
from runs_on_disk import CONFIG, run_of

from gmpo_verl.reporting.export import printed
from gmpo_verl.reporting.figures.catalogue import all_figures
from gmpo_verl.reporting.figures.figure import Figure
from gmpo_verl.reporting.figures.speed import phase_seconds
from gmpo_verl.reporting.figures.style import PALETTE
from gmpo_verl.reporting.groups import Group
from gmpo_verl.reporting.mean_accuracy import add_mean_accuracy
from gmpo_verl.reporting.ratio_points import MAX_POINTS, RatioPoints


def figures(*groups: Group, points: dict[str, RatioPoints] | None = None) -> dict[str, Figure]:
    return {figure.key: figure for figure in all_figures(list(groups), points or {})}


def test_the_range_of_the_log_ratio_has_both_curves_and_the_clip_window() -> None:
    run = run_of("a", CONFIG, gmpo__log_ratio_max=[0.1, 0.5], gmpo__log_ratio_min=[-0.2, -0.9])
    figure = figures(Group("gmpo", [run]))["log_ratio"]
    assert [list(trace.y) for trace in figure.plot.data] == [[0.1, 0.5], [-0.2, -0.9]]
    assert sorted(line.y0 for line in figure.plot.layout.shapes) == [-0.4, 0.4]
    assert "from 0.1 at step 1 to 0.5 at step 2" in figure.alt


def test_seeds_are_a_mean_line_over_the_band_of_their_range() -> None:
    group = Group("g", [run_of("a", actor__entropy=[1.0, 0.5]), run_of("b", actor__entropy=[2.0, 0.7])])
    low, high, mean = figures(group)["entropy"].plot.data
    assert (list(low.y), list(high.y), list(mean.y)) == ([1.0, 0.5], [2.0, 0.7], [1.5, 0.6])
    assert high.fill == "tonexty"


def test_groups_differ_in_colour_and_in_dash() -> None:
    plot = figures(*(Group(str(i), [run_of(str(i), actor__entropy=[1.0])]) for i in range(6)))["entropy"].plot
    assert len({trace.line.color for trace in plot.data}) == len({trace.line.dash for trace in plot.data}) == 6


def test_runs_with_different_metrics_share_a_page() -> None:
    stock = Group("stock", [run_of("s", critic__score__mean=[0.1], actor__pg_clipfrac=[0.01])])
    ours = Group("ours", [run_of("o", critic__rewards__mean=[0.2], gmpo__clip_frac_high=[0.0])])
    found = figures(stock, ours)
    assert len(found["reward"].plot.data) == 2
    assert len(found["clip_high"].plot.data) == 1


def test_no_figure_is_made_of_nothing() -> None:
    assert figures(Group("g", [run_of("a", actor__entropy=[math.nan, math.inf])])) == {}
    assert figures(Group("g", [run_of("a")])) == {}


def test_a_metric_with_a_gap_is_drawn_with_the_gap() -> None:
    plot = figures(Group("g", [run_of("a", actor__entropy=[1.0, math.nan, 3.0])]))["entropy"].plot
    assert list(plot.data[0].y) == [1.0, None, 3.0]
    assert plot.data[0].connectgaps is False


def test_the_phases_of_a_step_add_up_to_it_with_validation_on_top() -> None:
    run = run_of("a", timing_s__step=[2.0, 3.0], timing_s__gen=[1.0, 1.5], timing_s__update_actor=[0.5, 1.0])
    run.metrics["timing_s/testing"] = run_of(x=[0.0, 7.0]).metrics["x"]
    seconds = phase_seconds(run)
    assert seconds["other"] == {1: 0.5, 2: 0.5}
    for step, total in ((1, 2.0), (2, 3.0)):
        assert sum(values[step] for phase, values in seconds.items() if phase != "validation") == total
    assert seconds["validation"][2] == 7.0


def test_points_are_the_length_and_the_sum_and_no_more_than_plot_well() -> None:
    points = RatioPoints()
    for place in range(3 * MAX_POINTS):
        points.add({"uid": str(place), "length": place + 1, "log_ratio_sum": place / 10})
    points.add({"length": 5})  # in no update
    points.add({"length": 5, "log_ratio_sum": math.nan})
    assert points.seen == 3 * MAX_POINTS
    assert len(points.points) == MAX_POINTS
    assert all(total == pytest.approx((length - 1) / 10) for length, total in points.points)
    assert sum(length for length, _ in points.points) / MAX_POINTS == pytest.approx(1.5 * MAX_POINTS, rel=0.1)
    plot = figures(Group("g", [run_of("a")]), points={"a": points})["ratio_by_length"].plot
    assert len(plot.data[0].x) == MAX_POINTS


def test_print_is_on_white_with_thinner_lines_and_leaves_the_page_alone() -> None:
    figure = figures(Group("g", [run_of("a", actor__entropy=[1.0, 2.0])]))["entropy"]
    paper = printed(figure)
    assert paper.layout.paper_bgcolor == "white"
    assert paper.data[0].line.width < figure.plot.data[0].line.width
    assert list(paper.data[0].y) == list(figure.plot.data[0].y)


def test_the_colours_have_contrast_on_their_backgrounds() -> None:
    for light, dark in PALETTE:
        assert contrast(light, "#ffffff") >= 3
        assert contrast(dark, "#1b2026") >= 3


def contrast(*colours: Any) -> float:
    darker, lighter = sorted(map(luminance, colours))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_several_benchmarks_have_their_mean_first_where_all_were_measured() -> None:
    run = run_of("a")
    amc, math500 = run_of(m=[0.2, 0.4]).metrics["m"], run_of(m=[0.6, math.nan]).metrics["m"]
    run.metrics |= {"val-core/amc/acc/mean@4": amc, "val-core/math500/acc/mean@1": math500}
    add_mean_accuracy(run)
    found = list(figures(Group("g", [run])).values())
    assert [figure.title for figure in found] == [
        "Accuracy on all benchmarks",
        "Accuracy on amc",
        "Accuracy on math500",
    ]
    assert list(found[0].plot.data[0].y) == [pytest.approx(0.4)]
    single = run_of("b")
    single.metrics["val-core/amc/acc/mean@4"] = amc
    add_mean_accuracy(single)
    assert len(single.metrics) == 1
