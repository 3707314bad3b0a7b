"""Does it learn? Accuracy on each benchmark, and the reward in training."""

from gmpo_verl.reporting import metric_names as names
from gmpo_verl.reporting.figures.figure import Figure, curves_figure
from gmpo_verl.reporting.figures.style import new_figure
from gmpo_verl.reporting.groups import Group


def accuracy(groups: list[Group]) -> list[Figure]:
    """One figure a benchmark."""
    found = names.accuracies(run for group in groups for run in group.runs)
    figures = []
    for number, (benchmark, metrics) in enumerate(found.items()):
        figures.append(
            curves_figure(
                groups,
                f"accuracy_{number}" if number else "accuracy",
                "learning",
                f"Accuracy on {benchmark}",
                _caption(benchmark, metrics[0]),
                new_figure("accuracy", tickformat=".2~f"),
                *metrics,
            )
        )
    return [figure for figure in figures if figure]


def _caption(benchmark: str, metric: str) -> str:
    if benchmark == names.ALL_BENCHMARKS:
        return "Mean of the accuracies on each of them, every benchmark with the same weight."
    n = names.answers_a_problem(metric)
    answers = "one answer" if n == 1 else f"{n} answers, averaged,"
    return f"Share of the validation problems that are answered right, by {answers} to each."


def reward(groups: list[Group]) -> Figure | None:
    caption = "Mean reward of the answers sampled for training. It is noisy, as each round has other problems."
    plot = new_figure("mean reward")
    return curves_figure(groups, "reward", "learning", "Reward in training", caption, plot, *names.REWARD)
