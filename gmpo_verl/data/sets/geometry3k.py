"""Geometry3K (arXiv 2105.04165) in the columns of hiyouga/geometry3k: a figure, a question, an answer."""

from gmpo_verl.data.sets.data_set import DataSet, Problem, UnusableRowError
from gmpo_verl.data.sources import Row

PLACEHOLDER = "<image>"  # verl puts a row's images, in their order, where the prompt has these


def _read(row: Row) -> Problem:
    images = row["images"] or []
    if not isinstance(images, list):
        images = [images]
    if not images:
        raise UnusableRowError("there is no image")
    text = str(row["problem"] or "")
    if text.strip() and PLACEHOLDER not in text:
        text = PLACEHOLDER * len(images) + text
    if text.strip() and text.count(PLACEHOLDER) != len(images):
        raise UnusableRowError(f"the problem has not as many {PLACEHOLDER} as images")
    return Problem(text, row["answer"], images=images)


GEOMETRY3K = DataSet(
    name="geometry3k",
    hub="hiyouga/geometry3k",
    columns=(("images", "problem", "answer"),),
    read=_read,
    template="easy_r1",
    has_images=True,
)
