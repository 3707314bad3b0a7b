"""The figures as PNG and SVG, in the style of the paper: for print, on white, without the page's words."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from gmpo_verl.errors import UserError
from gmpo_verl.reporting.figures.figure import Figure

# A column of a two-column paper, 3.4 inches, in CSS pixels; the PNG has 4 pixels for each, 384 a printed inch.
WIDTH, HEIGHT, PNG_SCALE = 326, 220, 4
_FONT = "Times New Roman, Liberation Serif, Nimbus Roman, DejaVu Serif, serif"


def require_browser() -> None:
    """Check that figures can be drawn, before anything is read or written.

    Raises:
        UserError: there is no Chromium, which kaleido draws with.
    """
    from choreographer.browsers.chromium import Chromium

    if not Chromium.find_browser(skip_local=False):
        raise UserError(
            "--figures needs Chromium or Chrome and found neither: install one (Debian: apt-get install chromium), "
            "or set BROWSER_PATH to its program."
        )


def export_figures(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Write `<key>.png` and `<key>.svg` of each figure into a folder, each whole or not at all.

    Raises:
        UserError: the folder cannot be written, or the browser does not start.
    """
    import kaleido
    from choreographer.errors import BrowserClosedError, BrowserFailedError, ChannelClosedError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".figures-", dir=folder) as scratch:
            jobs = [job for figure in figures for job in _jobs(figure, Path(scratch))]
            # Without it kaleido's page would load MathJax from a network.
            pages = kaleido.PageGenerator(mathjax=False)
            if jobs:
                kaleido.write_fig_from_object_sync(jobs, kopts={"page_generator": pages})
            written = []
            for job in jobs:
                target = folder / Path(job["path"]).name
                os.replace(job["path"], target)
                written.append(target)
    except (BrowserClosedError, BrowserFailedError, ChannelClosedError) as error:
        raise UserError(
            "--figures found a Chromium that does not start or has ended: check that it runs, or set BROWSER_PATH "
            "to another one."
        ) from error
    except OSError as error:
        raise UserError(f"--figures={folder} cannot be written ({error.strerror}): name another folder.") from error
    return written


def printed(figure: Figure) -> go.Figure:
    """The figure in the paper's style: serif, a full frame with ticks inside, thin lines, the legend inside."""
    plot = go.Figure(figure.plot)
    axis = {"showline": True, "mirror": True, "ticks": "inside", "linecolor": "black", "linewidth": 0.8, "ticklen": 3}
    plot.update_layout(
        font={"family": _FONT, "size": 10, "color": "black"},
        paper_bgcolor="white",
        plot_bgcolor="white",
        margin={"l": 46, "r": 8, "t": 8, "b": 36},
        legend={
            "bgcolor": "rgba(0,0,0,0)",
            "x": 0.5,
            "xanchor": "center",
            "y": 1.02,
            "yanchor": "bottom",
            "orientation": "h",
            "tracegroupgap": 0,
            "font": {"size": 9},
        },
        xaxis=axis,
        yaxis=axis | {"gridcolor": "#e4e4e4", "gridwidth": 0.5},
    )
    plot.update_xaxes(title_standoff=4)
    plot.update_yaxes(title_standoff=4)
    plot.update_traces(line_width=1.3, selector=lambda trace: trace.type == "scatter" and trace.line.width == 2)
    plot.update_traces(line_width=0.7, selector=lambda trace: trace.type == "scatter" and trace.line.width == 1)
    plot.update_traces(marker_size=3, selector={"type": "scatter"})
    return plot


def _jobs(figure: Figure, folder: Path) -> list[dict[str, Any]]:
    plot = printed(figure)
    size = {"width": WIDTH, "height": HEIGHT}
    return [
        {"fig": plot, "path": folder / f"{figure.key}.png", "opts": {"format": "png", "scale": PNG_SCALE} | size},
        {"fig": plot, "path": folder / f"{figure.key}.svg", "opts": {"format": "svg"} | size},
    ]
