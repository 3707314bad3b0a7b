"""The rows that verl, the reward and evaluation read, and their parquet types.

The types are the same for every set, because verl joins its files only then: `reward_model.ground_truth` is a list of
acceptable strings also where there is one, and what a set does not have is null.
"""

from typing import TYPE_CHECKING, Any

from gmpo_verl.data.sets.data_set import Problem
from gmpo_verl.data.templates import Template, answer_form, messages

if TYPE_CHECKING:
    import pyarrow as pa


def schema(with_images: bool) -> "pa.Schema":
    import pyarrow as pa

    columns = {
        "data_source": pa.string(),
        "prompt": pa.list_(pa.struct({"role": pa.string(), "content": pa.string()})),
        "ability": pa.string(),
        "reward_model": pa.struct({"style": pa.string(), "ground_truth": pa.list_(pa.string())}),
        "extra_info": pa.struct(
            {
                "index": pa.int64(),
                "split": pa.string(),
                "template": pa.string(),
                "problem": pa.string(),
                "answer": pa.string(),
                "level": pa.string(),
                "subject": pa.string(),
                "source_split": pa.string(),
                "source_index": pa.int64(),
            }
        ),
    }
    if with_images:
        columns["images"] = pa.list_(pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    return pa.schema(columns)


def verl_row(
    problem: Problem,
    accepted: tuple[str, ...],
    template: Template,
    *,
    data_source: str,
    split: str,
    index: int,
    source: tuple[str, int],
) -> dict[str, Any]:
    """One row.

    Args:
        accepted: the answers of which any one is right.
        split: the file, without its suffix; `index` counts its rows from 0.
        source: the split and the position, from 0, that the row has in the source.
    """
    return {
        "data_source": data_source,
        "prompt": messages(template, problem.text),
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": list(accepted)},
        "extra_info": {
            "index": index,
            "split": split,
            "template": answer_form(template),
            "problem": problem.text,
            "answer": accepted[0],
            "level": problem.level,
            "subject": problem.subject,
            "source_split": source[0],
            "source_index": source[1],
        },
        **({"images": problem.images} if problem.images else {}),
    }
