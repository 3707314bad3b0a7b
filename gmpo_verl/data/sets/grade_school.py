"""GSM8K (arXiv 2110.14168) and ASDiv (ACL 2020, 2020.acl-main.92): word problems with a number for an answer."""

import re

from gmpo_verl.data.sets.data_set import DataSet, Problem, all_in_one
from gmpo_verl.data.sources import Row

# "9 (apples)"
_UNIT = re.compile(r"\s*\([^()]*\)\s*$")


def _read_gsm8k(row: Row) -> Problem:
    """On the hub the answer stands behind #### at the end of the worked solution, elsewhere alone."""
    answer = row["answer"]
    if isinstance(answer, str) and "####" in answer:
        answer = answer.rpartition("####")[2]
    return Problem(row["question"] if "question" in row else row["problem"], answer)


def _read_asdiv(row: Row) -> Problem:
    """On the hub the story and the question are two columns, and the answer names its unit."""
    if "body" not in row:
        return Problem(row["problem"], row["answer"])
    text = " ".join(str(part).strip() for part in (row["body"], row["question"]) if part)
    return Problem(text, _UNIT.sub("", str(row["answer"] or "")), subject=row.get("solution_type"))


GSM8K = DataSet(
    name="gsm8k",
    hub="openai/gsm8k",
    hub_config="main",
    columns=(("question", "answer"), ("problem", "answer")),
    read=_read_gsm8k,
)

ASDIV = DataSet(
    name="asdiv",
    hub="EleutherAI/asdiv",  # its one split is called validation
    columns=(("body", "question", "answer"), ("problem", "answer")),
    read=_read_asdiv,
    file_of=all_in_one,
)
