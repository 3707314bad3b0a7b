"""How figures look on the page: colours that hold on white and are exchanged for brighter ones on a dark page."""

from typing import Any

import plotly.graph_objects as go

# (on white, on dark): every one has a contrast of at least 3 to 1 with its background, and neighbours differ in
# lightness too, so that they can be told apart without colour.
PALETTE = (
    ("#1f5fa8", "#6fb1f0"),
    ("#b85a00", "#f2a65a"),
    ("#2c7a4b", "#74cf98"),
    ("#8a3f98", "#cf9be0"),
    ("#a8323a", "#f28b90"),
    ("#0d7377", "#5cc9cd"),
    ("#6b5a1e", "#d3bd6a"),
    ("#4a5568", "#aeb9c9"),
)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
BAND_OPACITY = 0.16
HEIGHT = 300


def colour(index: int) -> str:
    return PALETTE[index % len(PALETTE)][0]


def dash(index: int) -> str:
    """A second way to tell groups apart, for readers and printers without colours."""
    return DASHES[index % len(DASHES)]


def faded(hex_colour: str, opacity: float = BAND_OPACITY) -> str:
    red, green, blue = (int(hex_colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def new_figure(y_title: str, x_title: str = "step", **y_axis: Any) -> go.Figure:
    """An empty figure in the page's style. Text and grid colours are the page's, set there for light and dark."""
    axis = {"zeroline": False, "ticks": "outside", "ticklen": 4, "automargin": True, "title": {"standoff": 8}}
    figure = go.Figure()
    figure.update_layout(
        template="none",
        height=HEIGHT,
        margin={"l": 56, "r": 16, "t": 12, "b": 44},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="x unified",
        showlegend=False,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "xanchor": "left"},
        xaxis=axis | {"title": {"text": x_title, "standoff": 8}, "showgrid": False},
        yaxis=axis | {"title": {"text": y_title, "standoff": 8}, "rangemode": "normal"} | y_axis,
    )
    return figure
