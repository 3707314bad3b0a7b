"""DeepScaleR's 40,315 competition problems, the training set of the paper's mixture-of-experts run."""

from gmpo_verl.data.sets.data_set import DataSet, Problem
from gmpo_verl.data.sets.evaluation_suite import BENCHMARKS
from gmpo_verl.data.sources import Row


def _read(row: Row) -> Problem:
    return Problem(row["problem"], row["answer"])


DEEPSCALER = DataSet(
    name="deepscaler",
    hub="agentica-org/DeepScaleR-Preview-Dataset",
    columns=(("problem", "answer"),),
    read=_read,
    # Neither the paper nor its code says that benchmarks were taken out; a score on problems that were trained on says
    # nothing, so they are.
    held_out=BENCHMARKS,
)
