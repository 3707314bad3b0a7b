"""The tables of the studies that have runs: `table.py [--results DIR]` writes tables.md there and prints it."""

import argparse
import json
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from design import RESULTS, Study, read_design
from measures import Result, read_result

from gmpo_verl.evaluation.bootstrap import estimate
from gmpo_verl.files import write_atomically

Figure = Callable[[Result], float | None]


def log_ratio_range(result: Result) -> float | None:
    """How far apart the largest and the smallest log ratio of a round's tokens are."""
    if result.log_ratio_high is None or result.log_ratio_low is None:
        return None
    return result.log_ratio_high - result.log_ratio_low


COLUMNS: tuple[tuple[str, Figure, str], ...] = (
    ("accuracy, first", lambda result: result.start, ".3f"),
    ("accuracy, last", lambda result: result.accuracy, ".3f"),
    ("accuracy, last three", lambda result: result.late_accuracy, ".3f"),
    ("clipped", lambda result: result.clipped, ".2%"),
    ("log ratio, high", lambda result: result.log_ratio_high, ".2f"),
    ("log ratio, low", lambda result: result.log_ratio_low, ".2f"),
    ("entropy, mid", lambda result: result.entropy, ".3f"),
    ("gradient spread", lambda result: result.gradient_spread, ".2f"),
)
DIFFERENCES: tuple[tuple[str, Figure, str], ...] = (
    ("accuracy, last", lambda result: result.accuracy, "+.3f"),
    ("accuracy, last three", lambda result: result.late_accuracy, "+.3f"),
    ("log-ratio range", log_ratio_range, "+.2f"),
    ("entropy, mid", lambda result: result.entropy, "+.3f"),
    ("gradient spread", lambda result: result.gradient_spread, "+.2f"),
)
LEGEND = (
    "Means over seeds, with the standard error. Last three: the mean of the last three validations. Clipped: the "
    "fraction of tokens whose clip binds. Log ratio: the largest and the smallest of a round's tokens, averaged over "
    "rounds. Entropy: nats a token, in the middle fifth of the rounds. Gradient spread: standard deviation of the "
    "gradient norm over rounds, divided by its mean. Collapsed: stopped by a guard, or the reward fell below half of "
    "its best. Differences: the arm minus the first, by seeds, with the 95 % interval of a bootstrap over seeds; with "
    "five or fewer seeds such intervals are too narrow."
)


def mean_and_error(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean, and its standard error where there are two values or more."""
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return statistics.fmean(values), error


def paired_differences(arm: dict[int, Result], first: dict[int, Result], figure: Figure) -> list[float]:
    """Arm minus first, for each seed that both have."""
    pairs = [(figure(arm[seed]), figure(first[seed])) for seed in sorted(set(arm) & set(first))]
    return [a - b for a, b in pairs if a is not None and b is not None]


def mean_and_interval(differences: Sequence[float], text: str) -> str:
    """The mean with its bootstrap interval; of one difference itself, as one says nothing of others."""
    if len(differences) < 2:
        return "".join(f"{difference:{text}}" for difference in differences)
    found = estimate(differences)
    return f"{found.value:{text}} ({found.low:{text}} to {found.high:{text}})"


def table(study: Study, results: dict[str, dict[int, Result]]) -> str:
    """The tables of one study in markdown; `results` by arm and seed."""
    own = {
        arm: {seed: result for seed, result in sorted(results.get(arm, {}).items()) if seed < study.seeds}
        for arm in study.arms
    }
    done = {arm: found for arm, found in own.items() if found}
    counted = [result for found in done.values() for result in found.values()]
    lines = [f"## {study.name}: {len(counted)} of {study.seeds * len(study.arms)} runs", ""]
    lines += [_origin(study.name, counted), ""]
    lines += _header("arm", "seeds", *(name for name, _, _ in COLUMNS), "collapsed", "minutes a run")
    for arm, found in done.items():
        runs = list(found.values())
        cells = [_cell([figure(run) for run in runs], text) for _, figure, text in COLUMNS]
        minutes = statistics.fmean(run.seconds for run in runs) / 60
        lines.append(_row(arm, len(runs), *cells, sum(run.collapsed for run in runs), f"{minutes:.1f}"))
    name, first = study.arms[0], done.pop(study.arms[0], None)
    if first and done:
        lines += ["", *_header(f"minus {name}", *(name for name, _, _ in DIFFERENCES))]
        for arm, found in done.items():
            pairs = [(paired_differences(found, first, figure), text) for _, figure, text in DIFFERENCES]
            lines.append(_row(arm, *(mean_and_interval(*each) for each in pairs)))
    return "\n".join([*lines, ""])


def read_results(results: Path) -> dict[str, dict[int, Result]]:
    """The results of all kept runs by arm and seed."""
    found: dict[str, dict[int, Result]] = {}
    for made in sorted((results / "runs").glob("*/run.json")):
        arm = json.loads(made.read_text())["arm"]
        result = read_result(made.parent)
        found.setdefault(arm, {})[result.seed] = result
    return found


def main(arguments: list[str] | None = None) -> int:
    """Writes the tables of every study that has a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    results = read_results(options.results)
    studies = [study for study in read_design().studies.values() if any(results.get(arm) for arm in study.arms)]
    if not studies:
        print(f"table: {options.results} has no finished run: train some with run.py.", file=sys.stderr)
        return 2
    text = "\n".join(["# Tables", "", LEGEND, "", *(table(study, results) for study in studies)])
    write_atomically(options.results / "tables.md", text)
    print(text)
    return 0


def _origin(name: str, runs: Sequence[Result]) -> str:
    """By what command, in what time, from which code and on what the runs were made."""
    hours, minutes = divmod(round(sum(run.seconds for run in runs) / 60), 60)
    commits = ", ".join(dict.fromkeys(run.commit for run in runs))
    machines = "; ".join(dict.fromkeys(run.machine for run in runs))
    taken = f"{hours} h {minutes} min" if hours else f"{minutes} min"
    return f"`scripts/reproduce_stability.sh {name}`: {taken}, at {commits}, on {machines}."


def _cell(values: Sequence[float | None], text: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    mean, error = mean_and_error(known)
    return f"{mean:{text}}" + (f" ± {error:{text}}" if error is not None else "")


def _header(*names: str) -> list[str]:
    return [_row(*names), _row(*("---" for _ in names))]


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    sys.exit(main())
