"""What the model writes: how long, how often cut off, and how much of it teaches."""

from gmpo_verl.reporting import metric_names as names
from gmpo_verl.reporting.figures.figure import Figure, curves_figure
from gmpo_verl.reporting.figures.style import new_figure
from gmpo_verl.reporting.groups import Group


def length(groups: list[Group]) -> Figure | None:
    caption = "Mean length of the responses sampled for training, in tokens."
    plot = new_figure("tokens")
    return curves_figure(groups, "length", "responses", "Response length", caption, plot, *names.LENGTH)


def truncated(groups: list[Group]) -> Figure | None:
    caption = "Share of the responses that were cut off at the length limit before they had ended."
    plot = new_figure("share of responses", tickformat=".2~%", rangemode="tozero")
    title = "Truncated responses"
    figure = curves_figure(groups, "truncated", "responses", title, caption, plot, *names.TRUNCATED)
    if figure:
        return figure
    caption = "Share of the responses that are as long as allowed, whether they end there or are cut off."
    plot = new_figure("share of responses", tickformat=".2~%", rangemode="tozero")
    title = "Responses at the length limit"
    return curves_figure(groups, "truncated", "responses", title, caption, plot, *names.AT_LIMIT)


def no_signal(groups: list[Group]) -> Figure | None:
    caption = "Share of the responses whose group is all right or all wrong. They have no advantage and teach nothing."
    plot = new_figure("share of responses", tickformat=".2~%", range=[0, 1])
    title = "Groups without signal"
    return curves_figure(groups, "no_signal", "responses", title, caption, plot, *names.NO_SIGNAL)
