"""MATH (arXiv 2103.03874), levels 3 to 5 of both splits without MATH-500: the paper's training set."""

from gmpo_verl.data.sets.data_set import DataSet, Problem, all_in_one
from gmpo_verl.data.sources import Row
from gmpo_verl.rewards.answer import MAX_ANSWER_CHARS
from gmpo_verl.rewards.boxes import boxed_answer

_LEVELS = ("3", "4", "5")


def _leave_out(row: Row) -> str | None:
    return None if str(row["level"]).removeprefix("Level").strip() in _LEVELS else "the level is not 3, 4 or 5"


def _read(row: Row) -> Problem:
    """The answer is the last box of the worked solution."""
    return Problem(
        row["problem"],
        boxed_answer(str(row["solution"] or ""), MAX_ANSWER_CHARS),
        level=str(row["level"]),
        subject=row.get("type") or row.get("subject"),
    )


MATH_LVL3TO5 = DataSet(
    name="math_lvl3to5",
    hub="DigitalLearningGmbH/MATH-lighteval",
    columns=(("problem", "level", "solution"),),
    read=_read,
    file_of=all_in_one,
    leave_out=_leave_out,
    held_out=("math500",),
    remark=(
        "The paper counts 8,523 problems. MATH (12,500 problems) without MATH-500 gives 8,888, of which 8,885 are "
        "distinct; the rule behind the difference is not published."
    ),
)
