"""Jagged tensors [B, L_i, ...] made by a few tensor operations on their packed values, without unbinding rows."""

from collections.abc import Sequence
from typing import Any

import torch


def jagged(values: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Rows of these lengths [B], which lie one after the other in `values` [sum of lengths, ...]."""
    return torch.nested.nested_tensor_from_jagged(
        values,
        offsets=torch.cat([lengths.new_zeros(1), lengths.cumsum(0)]),
        min_seqlen=int(lengths.min()),
        max_seqlen=int(lengths.max()),  # without it torch pads to the length of all rows together
    )


def measured(nested: Any) -> torch.Tensor:
    """The tensor, which knows its longest row then; made again where it does not, as after `TensorDict.consolidate`."""
    if getattr(nested, "_maybe_max_seqlen", None) is not None:
        return nested
    return jagged(nested.values(), nested.offsets().diff())


def cut_rows(values: torch.Tensor, starts: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The rows that begin at `starts` [B] in the packed values and have these lengths [B]."""
    ends = lengths.cumsum(0)
    places = torch.arange(int(ends[-1]), device=values.device)
    places += torch.repeat_interleave(starts - (ends - lengths), lengths)
    return jagged(values[places], lengths)


def select_rows(nested: Any, rows: torch.Tensor) -> torch.Tensor:
    """The rows of a jagged tensor that `rows` [R] names, in its order."""
    offsets = nested.offsets()
    rows = rows.to(offsets.device)
    return cut_rows(nested.values(), offsets[rows], offsets.diff()[rows])


def join_rows(parts: Sequence[Any]) -> torch.Tensor:
    """The rows of jagged tensors, one tensor after the other."""
    lengths = torch.cat([part.offsets().diff() for part in parts])
    return jagged(torch.cat([part.values() for part in parts]), lengths)


def is_jagged(value: Any) -> bool:
    """Ragged in the first dimension of a row and without holes, as verl makes all but position ids of images."""
    if not isinstance(value, torch.Tensor) or value.layout != torch.jagged:
        return False
    nested: Any = value  # of whose methods torch's types know nothing
    return getattr(nested, "_ragged_idx", 1) == 1 and nested.lengths() is None
