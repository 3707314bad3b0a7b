"""What stands out in a run's metrics, in plain words: each check looks at one thing and says it, or says nothing."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gmpo_verl.reporting import metric_names as names
from gmpo_verl.reporting import thresholds as at
from gmpo_verl.reporting.run import Run, Series


@dataclass(frozen=True)
class Finding:
    """A sentence about a run, the figure that shows it, and how much it matters."""

    level: Literal["warning", "note"]
    title: str
    text: str
    figure: str  # its key


def findings(run: Run) -> list[Finding]:
    """All that stands out, warnings first."""
    found = [finding for check in CHECKS for finding in check(run)]
    return sorted(found, key=lambda finding: finding.level != "warning")


def _late(series: Series | None) -> float | None:
    """The median over the last fifth of the steps; None where there are too few."""
    return _median(series, slice(-_stretch(series), None)) if series else None


def _early(series: Series | None) -> float | None:
    return _median(series, slice(0, _stretch(series))) if series else None


def _stretch(series: Series) -> int:
    return max(1, math.ceil(len(series.finite) * at.STRETCH))


def _median(series: Series, part: slice) -> float | None:
    values = [value for _, value in series.finite]
    return statistics.median(values[part]) if len(values) >= at.MIN_STEPS else None


def _entropy(run: Run) -> list[Finding]:
    entropy = run.series(*names.ENTROPY)
    early, late = _early(entropy), _late(entropy)
    if early is None or late is None or early <= 0:
        return []
    fell = f"Entropy went from {early:.3g} to {late:.3g} nats a token"
    if late > early * at.ENTROPY_GROWN:
        text = f"{fell}: the answers become more random. A lower learning rate or a narrower clip window may help."
        return [Finding("warning", "Entropy is growing", text, "entropy")]
    if late > early * at.ENTROPY_KEPT:
        return []
    reward = _late(run.series(*names.REWARD))
    if reward is not None and reward >= at.SOLVED_REWARD:
        text = f"{fell}, with a reward of {reward:.2f}: the model is sure, and right. There is little left to learn."
        return [Finding("note", "Entropy is low because the task is solved", text, "entropy")]
    text = f"{fell}: the model hardly explores any more, so its groups differ less and teach less."
    return [Finding("warning", "Entropy is collapsing", text, "entropy")]


def _ratios(run: Run) -> list[Finding]:
    high, low = _late(run.series(names.LOG_RATIO_MAX)), _late(run.series(names.LOG_RATIO_MIN))
    if high is not None and low is not None and max(high, -low) > at.LOG_RATIO:
        text = (
            f"In the median late round the log ratios of tokens reach from {low:.2f} to {high:.2f}, a factor of "
            f"{math.exp(min(max(high, -low), 50)):,.0f}: each round moves the policy very far. Lower the learning rate."
        )
        return [Finding("warning", "Ratios are exploding", text, "log_ratio")]
    high, low = _late(run.series(names.SEQ_RATIO_MAX)), _late(run.series(names.SEQ_RATIO_MIN))
    if high is None or low is None or low <= 0:
        return []
    if max(math.log(high), -math.log(low)) <= at.SEQ_LOG_RATIO:
        return []
    text = f"The geometric mean ratio of whole responses reaches from {low:.2f} to {high:.2f} in the median late round."
    return [Finding("warning", "Ratios of whole responses are far from 1", text, "seq_ratio")]


def _clipping(run: Run) -> list[Finding]:
    high, low = _late(run.series(names.CLIP_HIGH)), _late(run.series(names.CLIP_LOW))
    total = _late(run.series(*names.CLIP_STOCK)) if high is None or low is None else high + low
    if total is None or total <= at.CLIP_FRACTION:
        return []
    text = f"{_percent(total)} of the response tokens are clipped in the median late round and give no gradient."
    return [Finding("warning", "Many tokens are clipped", text, "clip_high")]


def _truncation(run: Run) -> list[Finding]:
    series = run.series(*names.TRUNCATED)
    # Of verl's own metric only a rise says something: it also counts responses that end exactly at the limit.
    only_rise = series is None
    series = series or run.series(*names.AT_LIMIT)
    early, late = _early(series), _late(series)
    if early is None or late is None:
        return []
    what = "of the responses reach the length limit" if only_rise else "of the responses are cut off at the limit"
    if late - early > at.TRUNCATION_RISE:
        text = f"{_percent(late)} {what}, after {_percent(early)} at the start. Raise data.max_response_length if they "
        return [Finding("warning", "Truncation is rising", text + "are still reasoning there.", "truncated")]
    if late > at.TRUNCATION and not only_rise:
        return [Finding("warning", "Many responses are truncated", f"{_percent(late)} {what}.", "truncated")]
    return []


def _signal(run: Run) -> list[Finding]:
    late = _late(run.series(*names.NO_SIGNAL))
    if late is None or late <= at.NO_SIGNAL:
        return []
    reward = _late(run.series(*names.REWARD))
    text = f"{_percent(late)} of the responses are in groups whose rewards are all equal, so they teach nothing."
    if reward is not None and reward >= at.SOLVED_REWARD:
        return [Finding("note", "Few groups still teach: the task is solved", text, "no_signal")]
    if reward is not None:
        easy = reward >= 0.5
        text += f" Most of them are {'all right: harder' if easy else 'all wrong: easier'} problems would teach more."
    return [Finding("warning", "Most groups are without signal", text, "no_signal")]


def _reward(run: Run) -> list[Finding]:
    series = run.series(*names.REWARD)
    late = _late(series)
    if series is None or late is None:
        return []
    values, size = [value for _, value in series.finite], _stretch(series)
    best = max(statistics.median(values[start : start + size]) for start in range(len(values) - size + 1))
    if best <= 0 or late >= best * at.REWARD_KEPT:
        return []
    text = f"The mean reward was {best:.3g} at its best and is {late:.3g} in the last fifth of the run."
    return [Finding("warning", "The reward has collapsed", text, "reward")]


def _numbers(run: Run) -> list[Finding]:
    found = []
    skipped = [step for step, value in _pairs(run.series(names.NON_FINITE)) if value]
    if skipped:
        text = f"{_steps(skipped)} had a loss or gradient that was no finite number; the update was skipped."
        found.append(Finding("warning", "Updates were skipped", text, "grad_norm"))
    broken = {
        name: [step for step, value in zip(series.steps, series.values, strict=True) if not math.isfinite(value)]
        for name, series in run.metrics.items()
        if name != names.CORRELATION  # undefined for responses of one token: not measured
    }
    broken = {name: steps for name, steps in broken.items() if steps}
    if broken:
        name, steps = next(iter(broken.items()))
        more = f", and {len(broken) - 1} more metrics" if len(broken) > 1 else ""
        text = f"{name} is NaN or infinite at {_steps(steps).lower()}{more}. The curves have gaps there."
        found.append(Finding("warning", "Some metrics are no numbers", text, "reward"))
    return found


def _weights(run: Run) -> list[Finding]:
    pairs = _pairs(run.series(names.CORRELATION))
    if not pairs:
        return []
    step, lowest = min(pairs, key=lambda pair: pair[1])
    if lowest >= at.CORRELATION:
        return []
    text = (
        f"At step {step} the probabilities of the rollout engine and of the trainer correlate by {lowest:.3f}; with "
        "the same weights it is above 0.99. Rollouts that are a version old explain it, or weights that did not arrive."
    )
    return [Finding("warning", "Rollouts may come from other weights", text, "reward")]


def _grading(run: Run) -> list[Finding]:
    late = sum(_late(run.series(name)) or 0.0 for name in names.UNGRADED)
    if late <= at.UNGRADED:
        return []
    text = f"{_percent(late)} of the answers could not be graded in the median late round and count as wrong."
    return [Finding("warning", "Many answers are not graded", text, "reward")]


CHECKS: Sequence[Callable[[Run], list[Finding]]] = (
    _numbers,
    _reward,
    _entropy,
    _ratios,
    _clipping,
    _truncation,
    _signal,
    _weights,
    _grading,
)


# What the checks look at, by the metrics that each needs.
SUBJECTS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("entropy", names.ENTROPY),
    ("ratios", (names.LOG_RATIO_MAX, names.SEQ_RATIO_MAX)),
    ("clipping", (names.CLIP_HIGH, *names.CLIP_STOCK)),
    ("truncation", (*names.TRUNCATED, *names.AT_LIMIT)),
    ("groups without signal", names.NO_SIGNAL),
    ("reward", names.REWARD),
    ("grading", names.UNGRADED),
    ("rollout weights", (names.CORRELATION,)),
)


def looked_at(runs: Sequence[Run]) -> list[str]:
    """The subjects of the checks that all of these runs have the metrics for."""
    return [subject for subject, metrics in SUBJECTS if runs and all(run.series(*metrics) for run in runs)]


def _pairs(series: Series | None) -> list[tuple[int, float]]:
    return series.finite if series else []


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.0f} %"


def _steps(steps: Sequence[int]) -> str:
    shown = ", ".join(str(step) for step in steps[:3])
    return f"Step{'s' if len(steps) > 1 else ''} {shown}" + (f" and {len(steps) - 3} more" if len(steps) > 3 else "")
