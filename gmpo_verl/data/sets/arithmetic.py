"""The embedded task's problems, so that everything after preparation can be rehearsed without a download."""

from gmpo_verl.data.arithmetic.problems import Problem as Terms
from gmpo_verl.data.arithmetic.problems import prompt, split_problems
from gmpo_verl.data.arithmetic.settings import ArithmeticTask
from gmpo_verl.data.sets.data_set import DataSet, Problem
from gmpo_verl.data.sources import Row, Split


def _splits() -> tuple[Split, ...]:
    train, validation = split_problems(ArithmeticTask())
    return _split("train", train), _split("test", validation)


def _split(name: str, problems: list[Terms]) -> Split:
    return Split(name, ("terms",), len(problems), lambda: ({"terms": terms} for terms in problems))


def _read(row: Row) -> Problem:
    return Problem(prompt(row["terms"]), sum(row["terms"]))


ARITHMETIC = DataSet(
    name="arithmetic",
    hub=None,
    columns=(("terms",),),
    read=_read,
    template="none",  # the embedded model has learnt from bare problems
    embedded=_splits,
)
