"""A figure of the page: the plot, and what is said about it to those who do and do not see it."""

from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go

from gmpo_verl.reporting.curves import Curve, curve
from gmpo_verl.reporting.figures.style import colour, dash, faded
from gmpo_verl.reporting.groups import Group

Section = Literal["learning", "stability", "responses", "speed"]


@dataclass(frozen=True)
class Figure:
    """One plot with its words.

    Attributes:
        key: names it in links and in file names.
        caption: what to look for, in a sentence or two.
        alt: what the plot shows, for readers who do not see it.
    """

    key: str
    section: Section
    title: str
    caption: str
    alt: str
    plot: go.Figure


def add_curve(figure: go.Figure, group: Group, index: int, line: Curve, name: str = "", line_dash: str = "") -> None:
    """The mean of a group's runs as a line, and their range as a band where there is more than one."""
    steps, main = list(line.steps), colour(index)
    if line.runs > 1:
        band = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
        figure.add_scatter(x=steps, y=list(line.low), name=f"{name or group.label}, lowest", **band)
        band |= {"fill": "tonexty", "fillcolor": faded(main)}
        figure.add_scatter(x=steps, y=list(line.high), name=f"{name or group.label}, highest", **band)
    sparse = len(steps) <= 30
    figure.add_scatter(
        x=steps,
        y=list(line.mean),
        name=name or group.label,
        legendgroup=group.label,
        mode="lines+markers" if sparse else "lines",
        marker={"size": 6, "color": main},
        line={"color": main, "width": 2, "dash": line_dash or dash(index)},
        connectgaps=False,
        hovertemplate="%{y:.4~g}",
    )


def curves_figure(
    groups: list[Group], key: str, section: Section, title: str, caption: str, plot: go.Figure, *names: str
) -> Figure | None:
    """A figure with one curve a group, of the first of these metrics that each run has; None where none has any."""
    drawn = []
    for index, group in enumerate(groups):
        line = curve(group, *names)
        if line is None or not line.has_values:
            continue
        add_curve(plot, group, index, line)
        drawn.append(f"{group.label} {course(line)}")
    if not drawn:
        return None
    plot.update_layout(showlegend=len(groups) > 1)
    return Figure(key, section, title, caption, f"{title} by step: {'; '.join(drawn)}.", plot)


def course(line: Curve) -> str:
    """Where a curve begins and ends, in words."""
    first, last = line.first, line.last
    if first is None or last is None:
        return "has no finite value"
    if first[0] == last[0]:
        return f"is {_number(first[1])} at step {first[0]}"
    return f"goes from {_number(first[1])} at step {first[0]} to {_number(last[1])} at step {last[0]}"


def _number(value: float) -> str:
    return f"{value:.3g}"
