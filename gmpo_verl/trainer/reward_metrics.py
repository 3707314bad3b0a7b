"""How a batch of responses was graded, as fractions: `reward/timeout_frac` and its kin."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

# metric: the key that `rewards.math_reward` or `rewards.manager` gives every graded response, as 0 or 1
FRACTIONS = {
    "reward/timeout_frac": "timed_out",
    "reward/error_frac": "error",
    "reward/format_frac": "format_ok",
    "reward/truncated_frac": "truncated",
}
ACCURACY = "acc"


def graded_rows(extra_fields: Sequence[Any]) -> list[Mapping[str, Any]]:
    """What the reward function and the reward manager said about each response, from verl's fields of it."""
    return [fields.get("reward_extra_info", {}) for fields in extra_fields if isinstance(fields, dict)]


def reward_fractions(extra_fields: Sequence[Any]) -> dict[str, float]:
    """The fraction of responses with each property, over the rows that have it; one that none has is left out."""
    rows = graded_rows(extra_fields)
    fractions = {}
    for metric, key in FRACTIONS.items():
        values = [float(row[key]) for row in rows if row.get(key) is not None]
        if values:
            fractions[metric] = sum(values) / len(values)
    return fractions


def validation_means(data_sources: Sequence[str], values_by_key: Mapping[str, Sequence[Any]]) -> dict[str, float]:
    """`val-aux/<benchmark>/<key>/mean` of every numeric value but the accuracy, which verl's own table covers."""
    means: dict[str, float] = {}
    for key, values in values_by_key.items():
        by_source: dict[str, list[float]] = defaultdict(list)
        for source, value in zip(data_sources, values, strict=False):
            if isinstance(value, bool | int | float):
                by_source[source].append(float(value))
        if key != ACCURACY:
            means |= {f"val-aux/{source}/{key}/mean": sum(found) / len(found) for source, found in by_source.items()}
    return means
