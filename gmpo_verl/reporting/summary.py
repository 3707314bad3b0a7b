"""The figures that a reader wants first: what was trained, for how long, and how good it was before and after."""

import statistics
from dataclasses import dataclass

from gmpo_verl.reporting import metric_names as names
from gmpo_verl.reporting.naming import algorithm_of
from gmpo_verl.reporting.run import Run
from gmpo_verl.reporting.text import displayable
from gmpo_verl.supervisor.progress import duration


@dataclass(frozen=True)
class Fact:
    """A figure with its name and a few words more."""

    name: str
    value: str
    detail: str = ""


def key_facts(run: Run) -> list[Fact]:
    """The large figures at the top of a page of one run; what was not measured is left out."""
    facts = [_accuracy(run, benchmark, metrics) for benchmark, metrics in names.accuracies([run]).items()]
    return [fact for fact in [*facts, _reward(run), _steps(run), _time(run), _throughput(run)] if fact]


def trained(run: Run) -> list[Fact]:
    """What was trained on what, as the configuration says it."""
    rows = [
        ("Algorithm", algorithm_of(run)),
        ("Model", run.option("actor_rollout_ref.model.path")),
        ("Training data", run.option("data.train_files")),
        ("Validation data", run.option("data.val_files")),
        ("Prompts a round", run.option("data.train_batch_size")),
        ("Responses a prompt", run.option("actor_rollout_ref.rollout.n")),
        ("Longest response", _tokens(run.option("data.max_response_length"))),
        ("Learning rate", run.option("actor_rollout_ref.actor.optim.lr")),
        ("Seed", run.option("seed")),
    ]
    return [Fact(name, _listed(value)) for name, value in rows if value not in (None, "")]


def state(run: Run) -> str:
    """How far the run is, in words."""
    if not run.steps:
        return "No step has ended yet."
    if run.finished:
        return f"Finished after {run.last_step} steps."
    of = f" of {run.total_steps}" if run.total_steps else ""
    return f"At step {run.last_step}{of}."


def seconds_trained(run: Run) -> float | None:
    """Seconds of all steps and validations, start-up left out."""
    steps = run.series(*names.STEP_SECONDS)
    if not steps:
        return None
    testing = run.series(names.TESTING)
    validation = sum(value for _, value in testing.finite) if testing else 0.0
    return sum(value for _, value in steps.finite) + validation


def _accuracy(run: Run, benchmark: str, metrics: tuple[str, ...]) -> Fact | None:
    series = run.series(*metrics)
    if not series or not series.finite:
        return None
    (first_step, first), (last_step, last) = series.finite[0], series.finite[-1]
    name = f"Accuracy on {benchmark}"
    if first_step == last_step:
        return Fact(name, f"{last:.3f}", f"at step {last_step}")
    best_step, best = max(series.finite, key=lambda pair: pair[1])
    detail = f"step {first_step} to {last_step}"
    if best > last:
        detail += f"; best {best:.3f} at step {best_step}"
    return Fact(name, f"{first:.3f} \N{RIGHTWARDS ARROW} {last:.3f}", detail)


def _reward(run: Run) -> Fact | None:
    series = run.series(*names.REWARD)
    if not series or not series.finite:
        return None
    recent = [value for _, value in series.finite][-10:]
    return Fact("Reward in training", f"{statistics.fmean(recent):.3f}", f"mean of the last {len(recent)} rounds")


def _steps(run: Run) -> Fact | None:
    if not run.steps:
        return None
    of = f" of {run.total_steps}" if run.total_steps and not run.finished else ""
    return Fact("Steps", f"{run.last_step}{of}", "finished" if run.finished else "")


def _time(run: Run) -> Fact | None:
    seconds, steps = seconds_trained(run), run.series(*names.STEP_SECONDS)
    if seconds is None or not steps or not steps.finite:
        return None
    median = statistics.median(value for _, value in steps.finite)
    return Fact("Time", duration(seconds), f"{median:.3g} s a step (median), start-up left out")


def _throughput(run: Run) -> Fact | None:
    series = run.series(*names.THROUGHPUT)
    if not series or not series.finite:
        return None
    median = statistics.median(value for _, value in series.finite)
    return Fact("Throughput", f"{median:,.0f}", "tokens/s and device (median)")


def _tokens(value: object) -> str:
    return "" if value is None else f"{value} tokens"


def _listed(value: object) -> str:
    return ", ".join(map(displayable, value)) if isinstance(value, list) else displayable(value)
