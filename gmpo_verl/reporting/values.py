"""Numbers out of JSON, whatever stands in their place."""

import math
from typing import Any


def as_float(value: Any) -> float | None:
    """A number as a float, infinite where it is too large for one; None for what is no number."""
    if not isinstance(value, bool | int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def finite(value: Any) -> float | None:
    """A finite number as a float; None for all else."""
    number = as_float(value)
    return number if number is not None and math.isfinite(number) else None
