"""Two figures of the study of exponents: last accuracy and log-ratio range against the exponent of the power mean."""

from collections.abc import Sequence
from pathlib import Path

import yaml
from design import Study, StudyRun
from measures import Result, read_result
from table import Figure as Measure
from table import log_ratio_range, mean_and_error

from gmpo_verl.reporting.figures.figure import Figure
from gmpo_verl.reporting.figures.style import colour, new_figure

STUDY = "exponents"
_FIGURES: tuple[tuple[str, str, Measure], ...] = (
    ("exponent-accuracy", "accuracy, last", lambda result: result.accuracy),
    ("exponent-log-ratio-range", "log-ratio range", log_ratio_range),
)


def exponent_figures(study: Study, results: Path) -> list[Figure]:
    """The figures of what is done; exponents that change during a run are a dashed line instead of a point."""
    runs = [results / "runs" / StudyRun(arm, seed, ()).name for arm in study.arms for seed in range(study.seeds)]
    found: dict[float | None, list[Result]] = {}
    for folder in runs:
        if (folder / "run.json").is_file():
            found.setdefault(_exponent(folder), []).append(read_result(folder))
    annealed = found.pop(None, [])
    ordered = sorted((exponent, done) for exponent, done in found.items() if exponent is not None)
    return [_figure(*each, ordered, annealed) for each in _FIGURES if ordered]


def _exponent(folder: Path) -> float | None:
    """The exponent of a kept run, None where it is annealed."""
    loss = yaml.safe_load((folder / "config.yaml").read_text())["actor_rollout_ref"]["actor"]["policy_loss"]
    return None if loss["mean_exponent_rounds"] else float(loss["mean_exponent"])


def _figure(
    key: str, title: str, measure: Measure, ordered: Sequence[tuple[float, list[Result]]], annealed: list[Result]
) -> Figure:
    plot = new_figure(title, "exponent")
    points = [(exponent, *_mean(measure, done)) for exponent, done in ordered]
    exponents, means, errors = zip(*points, strict=True)
    plot.add_scatter(
        x=exponents,
        y=means,
        error_y={"array": errors, "thickness": 1, "width": 3},
        mode="lines+markers",
        line={"color": colour(0), "width": 2},
    )
    words = [f"{mean:.3g} at {exponent:g}" for exponent, mean, _ in points]
    if annealed:
        mean, _ = _mean(measure, annealed)
        plot.add_hline(y=mean, line_dash="dash", line_color=colour(1), line_width=1)
        plot.add_annotation(x=-1.5, y=mean, text="2 to -2", showarrow=False, yanchor="bottom")  # between two points
        words.append(f"{mean:.3g} annealed")
    caption = "Means over seeds with standard errors; 0 is the geometric mean (GMPO), -1 the harmonic one (HMPO)."
    return Figure(key, "stability", f"{title} by exponent", caption, f"{title}: {', '.join(words)}.", plot)


def _mean(measure: Measure, done: Sequence[Result]) -> tuple[float, float]:
    """The mean over seeds and its standard error, 0 for one seed; not a number where nothing was measured."""
    known = [value for value in map(measure, done) if value is not None]
    mean, error = mean_and_error(known) if known else (float("nan"), None)
    return mean, error or 0.0
