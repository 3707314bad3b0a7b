"""Is it stable? Ratios of the new to the old policy, entropy, gradient norm, KL, clipping."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from gmpo_verl.reporting import metric_names as names
from gmpo_verl.reporting.curves import curve
from gmpo_verl.reporting.figures.figure import Figure, add_curve, course, curves_figure
from gmpo_verl.reporting.figures.style import colour, dash, faded, new_figure
from gmpo_verl.reporting.groups import Group
from gmpo_verl.reporting.ratio_points import RatioPoints
from gmpo_verl.reporting.run import Run

RHO = "\N{GREEK SMALL LETTER RHO}"
_MAX_WINDOWS = 2
_CLIP = "actor_rollout_ref.actor.clip_ratio"


def log_ratio(groups: list[Group]) -> Figure | None:
    """The paper's figures 1 and 3: the largest and the smallest log ratio of a token in each round."""
    plot = new_figure(f"log {RHO} of a token")
    said = []
    for index, group in enumerate(groups):
        high, low = curve(group, names.LOG_RATIO_MAX), curve(group, names.LOG_RATIO_MIN)
        if high is None or low is None or not (high.has_values or low.has_values):
            continue
        add_curve(plot, group, index, high)
        add_curve(plot, group, index, low, name=f"{group.label}, smallest")
        plot.data[-1].showlegend = False
        said.append(f"the largest of {group.label} {course(high)}, the smallest {course(low)}")
    if not said:
        return None
    caption = (
        "The largest and the smallest log ratio of new to old probability over all tokens of a round (figures 1 and 3 "
        "of the paper). A band that stays narrow means steps that stay small."
    )
    if _draw_windows(plot, groups):
        caption += " The dotted lines are the clip window."
    plot.update_layout(showlegend=len(groups) > 1)
    alt = f"Range of the log ratio by step: {'; '.join(said)}."
    return Figure("log_ratio", "stability", "Range of the log ratio", caption, alt, plot)


def entropy(groups: list[Group]) -> Figure | None:
    caption = "How undecided the model is, in nats a token (figure 4). It falls as the model learns; near zero it "
    caption += "no longer explores."
    plot = new_figure("entropy (nats)", rangemode="tozero")
    return curves_figure(groups, "entropy", "stability", "Entropy", caption, plot, *names.ENTROPY)


def grad_norm(groups: list[Group]) -> Figure | None:
    caption = "Length of the gradient before it is clipped (figure 4). Spikes mean single rounds that pull hard."
    plot = new_figure("gradient norm", rangemode="tozero")
    return curves_figure(groups, "grad_norm", "stability", "Gradient norm", caption, plot, *names.GRAD_NORM)


def kl(groups: list[Group]) -> Figure | None:
    """Figure 4's divergence from the base model, or the divergence of one round's updates where that was not logged."""
    caption = "Divergence of the policy from the model it started from, in nats a token (figure 4)."
    plot = new_figure("KL to the base model")
    figure = curves_figure(groups, "kl", "stability", "KL to the base model", caption, plot, *names.KL_TO_REF)
    if figure:
        return figure
    caption = "Divergence between the old and the new policy of a round, in nats a token. The divergence from the base "
    caption += "model is logged with trainer.kl_to_ref=true."
    plot = new_figure("KL of a round")
    return curves_figure(groups, "kl", "stability", "KL of a round's updates", caption, plot, *names.POLICY_KL)


def seq_ratio(groups: list[Group]) -> Figure | None:
    caption = "Geometric mean of a response's token ratios: the mean over responses, with the smallest and largest one."
    plot = new_figure("ratio of a response")
    for index, group in enumerate(groups):
        for metric in (names.SEQ_RATIO_MIN, names.SEQ_RATIO_MAX):
            line = curve(group, metric)
            if line and line.has_values:
                style = {"color": faded(colour(index), 0.55), "width": 1, "dash": dash(index)}
                label = f"{group.label}, {'smallest' if metric.endswith('min') else 'largest'}"
                plot.add_scatter(
                    x=list(line.steps),
                    y=list(line.low if metric.endswith("min") else line.high),
                    name=label,
                    mode="lines",
                    line=style,
                    showlegend=False,
                    hovertemplate="%{y:.4~g}",
                )
    return curves_figure(
        groups, "seq_ratio", "stability", "Ratio of whole responses", caption, plot, names.SEQ_RATIO_MEAN
    )


def ratio_by_length(groups: list[Group], points: Mapping[str, RatioPoints]) -> Figure | None:
    """The paper's figure 6: the product of a response's token ratios against its length."""
    plot = new_figure(f"log of the product of {RHO}", x_title="length of the response (tokens)")
    said = []
    for index, group in enumerate(groups):
        pairs = _thinned([pair for run in group.runs for pair in _points(points, run)])
        if not pairs:
            continue
        lengths, sums = zip(*pairs, strict=True)
        plot.add_scatter(
            x=list(lengths),
            y=[round(value, 5) for value in sums],
            name=group.label,
            mode="markers",
            marker={
                "size": 5,
                "opacity": 0.55,
                "color": colour(index),
                "symbol": ("circle", "diamond", "square", "cross", "x", "triangle-up")[index % 6],
            },
            hovertemplate="%{y:.3~g} at %{x} tokens",
        )
        said.append(
            f"{group.label} reaches from {min(sums):.3g} to {max(sums):.3g}, over lengths from {lengths[0]} to "
            f"{lengths[-1]} tokens"
        )
    if not said:
        return None
    caption = (
        "Every point is a response (figure 6). The product of its token ratios spreads with the length, which is why "
        "the geometric mean takes the root by the length."
    )
    plot.update_layout(showlegend=len(groups) > 1, hovermode="closest")
    title = "Sequence ratio against length"
    alt = f"Log of the product of the token ratios by response length: {'; '.join(said)}."
    return Figure("ratio_by_length", "stability", title, caption, alt, plot)


def clip_high(groups: list[Group]) -> Figure | None:
    caption = "Share of the response tokens whose ratio is clipped above: a good answer became likelier fast enough."
    plot = new_figure("share of tokens", tickformat=".2~%", rangemode="tozero")
    figure = curves_figure(groups, "clip_high", "stability", "Clipped above", caption, plot, names.CLIP_HIGH)
    if figure:
        return figure
    caption = "Share of the tokens that verl counts as clipped, on both sides."
    plot = new_figure("share of tokens", tickformat=".2~%", rangemode="tozero")
    return curves_figure(groups, "clip_high", "stability", "Clipped tokens", caption, plot, *names.CLIP_STOCK)


def clip_low(groups: list[Group]) -> Figure | None:
    caption = "Share of the response tokens whose ratio is clipped below: a bad answer became unlikelier fast enough."
    plot = new_figure("share of tokens", tickformat=".2~%", rangemode="tozero")
    return curves_figure(groups, "clip_low", "stability", "Clipped below", caption, plot, names.CLIP_LOW)


def _draw_windows(plot: go.Figure, groups: list[Group]) -> bool:
    """Lines at the bounds of each clip window, where there are few of them."""
    windows = {
        window: index for index, group in reversed(list(enumerate(groups))) if (window := _window(group.runs[0]))
    }
    if len(windows) > _MAX_WINDOWS:
        return False
    for window, index in windows.items():
        for bound in window:
            plot.add_hline(y=bound, line={"width": 1, "dash": "dot", "color": colour(index)}, opacity=0.7)
    return bool(windows)


def _window(run: Run) -> tuple[float, float] | None:
    """The clip window in log space, for the losses whose options are in it."""
    if run.option("actor_rollout_ref.actor.policy_loss.loss_mode") != "gmpo":
        return None
    low, high = run.option(f"{_CLIP}_low"), run.option(f"{_CLIP}_high")
    if run.option("actor_rollout_ref.actor.policy_loss.clip_level") != "token":
        return None
    return (-low, high) if isinstance(low, float) and isinstance(high, float) else None


def _points(points: Mapping[str, RatioPoints], run: Run) -> Sequence[tuple[int, float]]:
    found = points.get(run.name)
    return found.points if found else []


def _thinned(pairs: list[tuple[int, float]], limit: int = 1_500) -> list[tuple[int, float]]:
    """An even sample, the extremes of the ratio kept."""
    ordered = sorted(pairs)
    if len(ordered) <= limit:
        return ordered
    every = ordered[:: -(-len(ordered) // limit)]
    ends = {min(ordered, key=lambda pair: pair[1]), max(ordered, key=lambda pair: pair[1]), ordered[-1]}
    return sorted(set(every) | ends)
