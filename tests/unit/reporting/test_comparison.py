"""Final figures of groups, with differences that say whether seeds alone could explain them."""

from runs_on_disk import run_of

from gmpo_verl.reporting.comparison import Cell, final_table
from gmpo_verl.reporting.groups import Group

ACCURACY = "val-core/math500/acc/mean@1"


def group(label: str, *last: float) -> Group:
    runs = [run_of(f"{label}{place}") for place in range(len(last))]
    for run, value in zip(runs, last, strict=True):
        run.metrics |= run_of(m=[0.1, value]).metrics
        run.metrics[ACCURACY] = run.metrics.pop("m")
        run.steps = (1, 2)
    return Group(label, runs)


def cells(name: str, *groups: Group) -> tuple[Cell, ...]:
    return next(row.cells for row in final_table(groups) if row.name == name)


def test_the_difference_is_between_means_and_to_the_first_group() -> None:
    first, second = cells("Accuracy on math500, last", group("a", 0.5, 0.6), group("b", 0.7, 0.8))
    assert first == Cell("0.550", "0.500 to 0.600")
    assert second == Cell("0.750", "0.700 to 0.800", "+0.200", within_spread=False)


def test_overlapping_ranges_are_said_to_be_within_the_spread() -> None:
    _, second = cells("Accuracy on math500, last", group("a", 0.5, 0.8), group("b", 0.6, 0.9))
    assert second.within_spread
    _, single = cells("Accuracy on math500, last", group("a", 0.5), group("b", 0.4))
    assert (single.difference, single.within_spread, single.spread) == ("-0.100", False, "")


def test_equal_figures_have_no_difference_and_absent_ones_no_value() -> None:
    other = Group("b", [run_of("b", actor__entropy=[1.0])])
    _, second = cells("Accuracy on math500, last", group("a", 0.5), other)
    assert second == Cell()
    _, same = cells("Accuracy on math500, last", group("a", 0.5), group("b", 0.5))
    assert same.difference == ""
    assert not any(row.name.startswith("Gradient") for row in final_table([group("a", 0.5)]))
