"""The data sets that can be prepared: the one place that lists them."""

from gmpo_verl.data.sets import (
    arithmetic,
    countdown,
    deepscaler,
    evaluation_suite,
    geometry3k,
    grade_school,
    math_lvl3to5,
)
from gmpo_verl.data.sets.data_set import DataSet

SETS: dict[str, DataSet] = {
    data_set.name: data_set
    for data_set in (
        math_lvl3to5.MATH_LVL3TO5,
        grade_school.GSM8K,
        grade_school.ASDIV,
        deepscaler.DEEPSCALER,
        geometry3k.GEOMETRY3K,
        evaluation_suite.EVALUATION_SUITE,
        arithmetic.ARITHMETIC,
        countdown.COUNTDOWN,
    )
}
