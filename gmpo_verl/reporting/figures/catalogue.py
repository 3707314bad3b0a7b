"""All figures of a report in the page's order; one without data is left out."""

from collections.abc import Mapping

from gmpo_verl.reporting.figures import learning, responses, speed, stability
from gmpo_verl.reporting.figures.figure import Figure
from gmpo_verl.reporting.groups import Group
from gmpo_verl.reporting.ratio_points import RatioPoints


def all_figures(groups: list[Group], points: Mapping[str, RatioPoints]) -> list[Figure]:
    """The figures that these runs have data for.

    Args:
        points: of each run, by its name, the responses' lengths and ratios.
    """
    possible = [
        *learning.accuracy(groups),
        learning.reward(groups),
        stability.log_ratio(groups),
        stability.entropy(groups),
        stability.grad_norm(groups),
        stability.kl(groups),
        stability.seq_ratio(groups),
        stability.ratio_by_length(groups, points),
        stability.clip_high(groups),
        stability.clip_low(groups),
        responses.length(groups),
        responses.truncated(groups),
        responses.no_signal(groups),
        speed.phases(groups),
        speed.step_seconds(groups),
        speed.throughput(groups),
    ]
    return [figure for figure in possible if figure]
