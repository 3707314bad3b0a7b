"""The page: one HTML file that needs nothing else, neither network nor fonts nor a server."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import jinja2

from gmpo_verl.reporting.collected import Collected
from gmpo_verl.reporting.comparison import final_table
from gmpo_verl.reporting.figures.catalogue import all_figures
from gmpo_verl.reporting.figures.figure import Figure
from gmpo_verl.reporting.figures.style import PALETTE
from gmpo_verl.reporting.findings import Finding, findings, looked_at
from gmpo_verl.reporting.groups import Group, config_differences, group_runs
from gmpo_verl.reporting.payload import sample_chunks, script_json
from gmpo_verl.reporting.summary import key_facts, state, trained
from gmpo_verl.reporting.text import displayable
from gmpo_verl.reporting.thresholds import MIN_STEPS

# In the order in which they run; the first two are other people's (static/LICENSES.txt).
SCRIPTS = (
    "plotly-basic.min.js",
    "temml.min.js",
    "state.js",
    "theme.js",
    "plots.js",
    "sample_data.js",
    "sample_text.js",
    "sample_filters.js",
    "sample_list.js",
    "sample_detail.js",
    "samples.js",
    "live.js",
)
STYLES = ("page.css", "samples.css")
SECTIONS = (
    ("learning", "Learning"),
    ("stability", "Stability"),
    ("responses", "Responses"),
    ("speed", "Speed"),
)
# Seconds between two looks of an open page at its file, while its runs go on.
RELOAD_SECONDS = 10


@dataclass(frozen=True)
class _RunView:
    """A run as the template wants it."""

    name: str
    state: str
    facts: Sequence[Any]
    trained: Sequence[Any]
    notes: Sequence[str]


@dataclass
class _FindingView:
    """What stands out, with the sentence of each run in which it does."""

    level: str
    title: str
    figure: str  # key of a figure on the page, else empty
    texts: list[tuple[str, str]]  # (run, sentence)


def render(collected: Collected, written: str, live: bool = False) -> str:
    """The whole page.

    Args:
        written: when, as text for the reader.
        live: the page reloads itself, for runs that go on.
    """
    groups = group_runs(collected.runs)
    figures = all_figures(groups, collected.points)
    found = {run.name: findings(run) for run in collected.runs}
    quiet = [run for run in collected.runs if len(run.steps) >= MIN_STEPS and not found[run.name]]
    index, chunks = sample_chunks(collected.samples)
    scripts = [_static(name) for name in SCRIPTS]
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=_title(groups),
            written=written,
            reload_seconds=RELOAD_SECONDS if live else 0,
            runs=[_RunView(run.name, state(run), key_facts(run), trained(run), run.notes) for run in collected.runs],
            findings=_stands_out(found, figures),
            quiet=[run.name for run in quiet],
            looked_at=looked_at(quiet),
            young=[run.name for run in collected.runs if len(run.steps) < MIN_STEPS],
            min_steps=MIN_STEPS,
            groups=groups,
            colours=[{"light": light, "dark": dark} for light, dark in PALETTE],
            table=final_table(groups) if len(collected.runs) > 1 else [],
            differences=config_differences(groups),
            sections=[(key, name, [figure for figure in figures if figure.section == key]) for key, name in SECTIONS],
            figures_json=script_json({figure.key: figure.plot.to_plotly_json() for figure in figures}),
            palette_json=script_json(PALETTE),
            run_names_json=script_json([run.name for run in collected.runs]),
            sample_index=index,
            sample_chunks=chunks,
            samples=len(collected.samples),
            seen=collected.seen,
            style="\n".join([_mathematics_style(), *map(_static, STYLES)]),
            licences=_static("LICENSES.txt"),
            scripts=scripts,
            policy=_policy(scripts),
        )
    )


def _title(groups: Sequence[Group]) -> str:
    runs = [run for group in groups for run in group.runs]
    if len(runs) == 1:
        name, label = runs[0].name, groups[0].label
        return name if label in name else f"{label}: {name}"
    return f"{' and '.join(group.label for group in groups[:4])}{' and more' * (len(groups) > 4)}: {len(runs)} runs"


def _stands_out(found: Mapping[str, Sequence[Finding]], figures: Sequence[Figure]) -> list[_FindingView]:
    """The findings of all runs, those of one kind together, warnings first."""
    shown = {figure.key for figure in figures}
    views: dict[str, _FindingView] = {}
    for run, of_run in found.items():
        for finding in of_run:
            figure = finding.figure if finding.figure in shown else ""
            view = views.setdefault(finding.title, _FindingView(finding.level, finding.title, figure, []))
            view.texts.append((run, finding.text))
    return sorted(views.values(), key=lambda view: view.level != "warning")


def _policy(scripts: Sequence[str]) -> str:
    """A policy by which the browser runs these scripts alone, whatever text gets into the page, and fetches nothing."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _static(name: str) -> str:
    return resources.files("gmpo_verl.reporting").joinpath("static", name).read_text(encoding="utf-8")


@cache
def _mathematics_style() -> str:
    """temml's style sheet with its font inside."""
    font = resources.files("gmpo_verl.reporting").joinpath("static", "Temml.woff2").read_bytes()
    return _static("Temml-Local.css").replace(
        "Temml.woff2'", f"data:font/woff2;base64,{base64.b64encode(font).decode()}'"
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("gmpo_verl.reporting"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["displayable"] = displayable
    return environment
