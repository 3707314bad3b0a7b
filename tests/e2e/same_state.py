"""Tensors of a checkpoint, compared bit for bit."""

from typing import Any

import torch
from torch.distributed.tensor import DTensor


def same(one: Any, other: Any) -> bool:
    """Equal structures of tensors and plain values; of a distributed tensor the part of this rank."""
    if isinstance(one, DTensor) and isinstance(other, DTensor):
        return same(one.to_local(), other.to_local())
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)
