"""The five benchmarks of the paper's table, as sail-sg/understand-r1-zero stores them."""

from gmpo_verl.data.sets.data_set import DataSet, Problem
from gmpo_verl.data.sources import Row

_FILE_OF = {"aime": "aime24", "amc": "amc", "math": "math500", "minerva": "minerva", "olympiad_bench": "olympiad_bench"}
BENCHMARKS = tuple(_FILE_OF.values())


def _read(row: Row) -> Problem:
    return Problem(row["problem"], row["answer"])


EVALUATION_SUITE = DataSet(
    name="evaluation_suite",
    hub=None,
    where=(
        "clone https://github.com/sail-sg/understand-r1-zero and write "
        "--source=understand-r1-zero/datasets/evaluation_suite"
    ),
    columns=(("problem", "answer"),),
    read=_read,
    file_of=lambda split: _FILE_OF.get(split, split if split in BENCHMARKS else None),
    files=BENCHMARKS,
    benchmarks=True,
)
