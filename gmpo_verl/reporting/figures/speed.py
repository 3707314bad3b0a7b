"""Where the time goes: seconds of a step by phase, and tokens a second."""

import statistics

from gmpo_verl.reporting import metric_names as names
from gmpo_verl.reporting.curves import curve
from gmpo_verl.reporting.figures.figure import Figure, curves_figure
from gmpo_verl.reporting.figures.style import colour, faded, new_figure
from gmpo_verl.reporting.groups import Group
from gmpo_verl.reporting.run import Run

# verl's timers that follow one another within `timing_s/step`; others measure parts of these.
PHASES = (
    ("gen", "sampling"),
    ("reward", "reward"),
    ("old_log_prob", "old log-probs"),
    ("ref", "reference"),
    ("values", "values"),
    ("adv", "advantages"),
    ("update_critic", "critic update"),
    ("update_actor", "actor update"),
    ("update_weights", "weight sync"),
    ("save_checkpoint", "checkpoint"),
)
OTHER, VALIDATION = "other", "validation"


def phase_seconds(run: Run) -> dict[str, dict[int, float]]:
    """Seconds by phase and step: `timing_s/step` split up, the rest of it as `other`, validation on top of it."""
    total = dict(_pairs(run, *names.STEP_SECONDS))
    found = {label: dict(_pairs(run, f"timing_s/{timer}")) for timer, label in PHASES}
    found = {label: values for label, values in found.items() if values}
    if not total or not found:
        return {}
    known = {step: sum(values.get(step, 0.0) for values in found.values()) for step in total}
    found[OTHER] = {step: max(0.0, seconds - known[step]) for step, seconds in total.items()}
    if testing := dict(_pairs(run, names.TESTING)):
        found[VALIDATION] = testing
    return found


def phases(groups: list[Group]) -> Figure | None:
    """Stacked by step for one run; for several, the mean seconds of a step of each group."""
    runs = [run for group in groups for run in group.runs]
    return _by_step(runs[0]) if len(runs) == 1 else _by_group(groups)


def throughput(groups: list[Group]) -> Figure | None:
    caption = "Tokens of prompts and responses a second and device, all phases of a step included."
    plot = new_figure("tokens/s", rangemode="tozero")
    title = "Throughput"
    return curves_figure(groups, "throughput", "speed", title, caption, plot, *names.THROUGHPUT)


def step_seconds(groups: list[Group]) -> Figure | None:
    if sum(len(group.runs) for group in groups) == 1:
        return None  # the stack of phases shows it
    caption = "Seconds from the start of a step to its end, validation left out."
    plot = new_figure("seconds", rangemode="tozero")
    return curves_figure(groups, "step_seconds", "speed", "Time of a step", caption, plot, *names.STEP_SECONDS)


def _by_step(run: Run) -> Figure | None:
    seconds = phase_seconds(run)
    if not seconds:
        return None
    plot = new_figure("seconds", rangemode="tozero")
    # Thinned as the curves are; the stack needs the same steps of every phase.
    line = curve(Group("", [run]), *names.STEP_SECONDS)
    steps = list(line.steps) if line else []
    for index, (label, values) in enumerate(seconds.items()):
        plot.add_bar(
            x=steps,
            y=[round(values.get(step, 0.0), 4) for step in steps],
            name=label,
            marker={"color": _phase_colour(label, index), "line": {"width": 0}},
            hovertemplate="%{y:.3~g} s",
        )
    plot.update_layout(barmode="stack", bargap=0.08, showlegend=True, legend={"traceorder": "normal"})
    means = {label: statistics.fmean(values.values()) for label, values in seconds.items() if label != VALIDATION}
    largest = sorted(means, key=lambda label: -means[label])[:3]
    alt = "Seconds of each step, stacked by phase. The largest are " + ", ".join(
        f"{label} with {means[label]:.2g} s" for label in largest
    )
    return Figure("phases", "speed", "Time of a step by phase", "What a step spends its seconds on.", f"{alt}.", plot)


def _by_group(groups: list[Group]) -> Figure | None:
    per_group = {group.label: _mean_seconds(group) for group in groups}
    per_group = {label: seconds for label, seconds in per_group.items() if seconds}
    if not per_group:
        return None
    plot = new_figure("", x_title="seconds a step, mean")
    every = [label for _, label in PHASES] + [OTHER]
    present = [phase for phase in every if any(phase in seconds for seconds in per_group.values())]
    for index, phase in enumerate(present):
        plot.add_bar(
            y=list(per_group),
            x=[round(seconds.get(phase, 0.0), 4) for seconds in per_group.values()],
            name=phase,
            orientation="h",
            marker={"color": _phase_colour(phase, index), "line": {"width": 0}},
            hovertemplate="%{x:.3~g} s",
        )
    plot.update_layout(
        barmode="stack",
        showlegend=True,
        hovermode="closest",
        legend={"traceorder": "normal"},
        yaxis={"autorange": "reversed", "ticks": ""},
    )
    said = "; ".join(f"{label} {sum(seconds.values()):.2g} s" for label, seconds in per_group.items())
    caption = "What a step spends its seconds on, the mean over steps and seeds; validation left out."
    return Figure("phases", "speed", "Time of a step by phase", caption, f"Mean seconds of a step: {said}.", plot)


def _mean_seconds(group: Group) -> dict[str, float]:
    sums: dict[str, list[float]] = {}
    for run in group.runs:
        seconds = phase_seconds(run)
        steps = len(seconds.get(OTHER, {}))
        for label, values in seconds.items():
            if label != VALIDATION:
                sums.setdefault(label, []).append(sum(values.values()) / max(steps, 1))
    return {label: statistics.fmean(values) for label, values in sums.items()}


def _phase_colour(label: str, index: int) -> str:
    if label == OTHER:
        return faded("#7a8594", 0.6)
    return faded("#7a8594", 0.3) if label == VALIDATION else colour(index)


def _pairs(run: Run, *names_of_metric: str) -> list[tuple[int, float]]:
    series = run.series(*names_of_metric)
    return series.finite if series else []
