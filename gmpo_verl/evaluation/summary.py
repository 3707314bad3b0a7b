"""The figures of an evaluation, as `results.json` holds them."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import mean
from typing import Any

from gmpo_verl.evaluation.bootstrap import estimate, estimate_average
from gmpo_verl.evaluation.grading import Verdict
from gmpo_verl.evaluation.majority import Equal, group_answers
from gmpo_verl.evaluation.scoring import majority_at_k, pass_at_k, sample_counts

_THREADS = 16

# The verdicts of one problem, by sample.
Samples = Sequence[Verdict]


def summarize(benchmarks: Mapping[str, Sequence[Samples]], equal: Equal | None = None) -> dict[str, Any]:
    """The figures of each benchmark and their plain mean. Fractions from 0 to 1, with intervals of 95 %.

    Args:
        benchmarks: for each the verdicts [problems][answers]; every problem of a benchmark has as many answers.
        equal: how answers are compared for the majority; by default as the reward does.

    Raises:
        ValueError: a benchmark without problems, or with unequal numbers of answers.
    """
    described = {name: _benchmark(problems, equal) for name, problems in benchmarks.items()}
    accuracies = [[mean(v.correct for v in samples) for samples in problems] for problems in benchmarks.values()]
    return {
        "benchmarks": described,
        "average": {"benchmarks": list(benchmarks), "accuracy": estimate_average(accuracies)._asdict()},
    }


def _benchmark(problems: Sequence[Samples], equal: Equal | None) -> dict[str, Any]:
    counts = {len(samples) for samples in problems}
    if len(counts) != 1 or 0 in counts:
        raise ValueError(f"a benchmark needs equally many answers of each problem, not {sorted(counts)}")
    (n,) = counts
    right = [sum(v.correct for v in samples) for samples in problems]
    figures: dict[str, Any] = {
        "problems": len(problems),
        "answers_a_problem": n,
        "accuracy": estimate([count / n for count in right])._asdict(),
    }
    if n > 1:
        with ThreadPoolExecutor(_THREADS) as pool:  # the comparisons run in processes
            groups = list(pool.map(lambda samples: group_answers([v.answer for v in samples], equal), problems))
        figures["pass"] = {
            str(k): estimate([pass_at_k(count, n, k) for count in right])._asdict() for k in sample_counts(n)
        }
        figures["majority"] = {
            str(k): estimate(
                [
                    majority_at_k(group, [v.correct for v in samples], k)
                    for group, samples in zip(groups, problems, strict=True)
                ]
            )._asdict()
            for k in sample_counts(n)
        }
    return figures | _counts([verdict for samples in problems for verdict in samples])


def _counts(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    truncated = [v.truncated for v in verdicts if v.truncated is not None]
    lengths = [v.tokens for v in verdicts if v.tokens is not None]
    return {
        "answers": len(verdicts),
        "correct": sum(v.correct for v in verdicts),
        "unformatted": sum(not v.format_ok for v in verdicts),
        "ungraded": sum(v.ungraded for v in verdicts),
        "truncated": sum(truncated) if truncated else None,
        # Of training's reward, which is 0 for a truncated response.
        "reward": mean(v.score for v in verdicts) if truncated else None,
        "tokens_mean": mean(lengths) if lengths else None,
        "tokens_max": max(lengths, default=None),
    }
