"""Fields of the transfer queue as Python's own values, to compare."""

from typing import Any

import numpy as np
import torch


def plain(value: Any) -> Any:
    value = getattr(value, "data", value) if not isinstance(value, torch.Tensor) else value
    if isinstance(value, torch.Tensor | np.ndarray):
        return value.tolist()
    return {name: plain(item) for name, item in value.items()} if isinstance(value, dict) else value
