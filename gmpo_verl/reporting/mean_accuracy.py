"""The accuracy over all benchmarks of a run, which a table of benchmarks ends with."""

import statistics

from gmpo_verl.reporting.metric_names import ALL_BENCHMARKS, accuracies
from gmpo_verl.reporting.run import Run, Series


def add_mean_accuracy(run: Run) -> None:
    """Give a run of several benchmarks their mean as one more, at the steps at which all were measured."""
    measured = [dict(series.finite) for names in accuracies([run]).values() if (series := run.series(*names))]
    if len(measured) < 2:
        return
    steps = tuple(sorted(set.intersection(*map(set, measured))))
    means = tuple(statistics.fmean(values[step] for values in measured) for step in steps)
    run.metrics[f"val-core/{ALL_BENCHMARKS}/acc/mean@1"] = Series(steps, means)
