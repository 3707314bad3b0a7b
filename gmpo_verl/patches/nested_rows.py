"""Selects rows of jagged tensors without unbinding them.

verl 0.9.1 cuts a batch for its ranks with `chunk_tensordict` (utils/tensordict_utils.py:302), and mini-batches and
micro-batches out of it with `index_select_tensor_dict` (:494). Both unbind each nested field into its rows, pick some
and bind them again: 50 us a row and field on a CPU, a fifth of a small update. The rows' places in the packed values
say the same in a few tensor operations.
"""

import functools
from collections.abc import Sequence
from typing import Any

import torch
from tensordict import TensorDict


def select_rows(nested: Any, rows: torch.Tensor) -> torch.Tensor:
    """The rows of a jagged tensor [B, L_i, ...] that `rows` [R] names, in its order, as a jagged tensor."""
    offsets = nested.offsets()
    rows = rows.to(offsets.device)
    lengths = offsets.diff()[rows]
    ends = lengths.cumsum(0)
    places = torch.arange(int(ends[-1]), device=offsets.device)
    places += torch.repeat_interleave(offsets[rows] - (ends - lengths), lengths)
    return torch.nested.nested_tensor_from_jagged(
        nested.values()[places],
        offsets=torch.cat([offsets.new_zeros(1), ends]),
        min_seqlen=int(lengths.min()),
        max_seqlen=int(lengths.max()),  # without it torch pads to the length of all rows together
    )


def join_rows(parts: Sequence[Any]) -> torch.Tensor:
    """The rows of jagged tensors [B_i, L_ij, ...], one tensor after the other."""
    lengths = torch.cat([part.offsets().diff() for part in parts])
    return torch.nested.nested_tensor_from_jagged(
        torch.cat([part.values() for part in parts]),
        offsets=torch.cat([lengths.new_zeros(1), lengths.cumsum(0)]),
        min_seqlen=int(lengths.min()),
        max_seqlen=int(lengths.max()),
    )


def install() -> None:
    """Once a process that cuts batches; verl calls the functions by their module's names for them."""
    from verl.utils import tensordict_utils

    for name, wrap in (("index_select_tensor_dict", _packed_selection), ("chunk_tensordict", _packed_chunks)):
        verls = getattr(tensordict_utils, name)
        if not getattr(verls, "packed", False):
            ours = wrap(verls)
            ours.packed = True
            setattr(tensordict_utils, name, ours)


def _packed_selection(verls: Any) -> Any:
    @functools.wraps(verls)
    def select(batch: TensorDict | None, indices: torch.Tensor | list[int]) -> TensorDict:
        if batch is None:
            return verls(batch, indices)
        rows = torch.as_tensor(indices)
        if len(rows) == len(batch) and torch.equal(rows, torch.arange(len(rows))):
            return batch.clone(recurse=False)  # a micro-batch of everything
        jagged = _jagged(batch)
        rest = verls(batch.exclude(*jagged), rows)
        rest.update({name: select_rows(value, rows) for name, value in jagged.items()})
        return rest

    return select


def _packed_chunks(verls: Any) -> Any:
    @functools.wraps(verls)
    def chunk(batch: TensorDict, chunks: int) -> list[TensorDict]:
        jagged = _jagged(batch)
        parts = list(verls(batch.exclude(*jagged), chunks))
        for part, rows in zip(parts, torch.arange(len(batch)).chunk(chunks), strict=True):
            part.update({name: select_rows(value, rows) for name, value in jagged.items()})
        return parts

    return chunk


def _jagged(batch: TensorDict) -> dict[str, Any]:
    return {name: value for name, value in batch.items() if _is_jagged(value)}


def _is_jagged(value: Any) -> bool:
    """Ragged in the first dimension of a row and without holes, as verl makes all but position ids of images."""
    if not isinstance(value, torch.Tensor) or value.layout != torch.jagged:
        return False
    nested: Any = value  # of whose methods torch's types know nothing
    return getattr(nested, "_ragged_idx", 1) == 1 and nested.lengths() is None
