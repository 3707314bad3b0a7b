"""Cuts and joins jagged tensors without unbinding their rows.

verl 0.9.1 cuts a batch for its ranks with `chunk_tensordict` (utils/tensordict_utils.py:302), mini-batches and
micro-batches out of it with `index_select_tensor_dict` (:494), joins what its ranks return with
`concat_nested_tensors` (:185), and takes the responses out of it with `response_from_nested` and `response_to_nested`
(workers/utils/padding.py:194 and :213). All of them take each nested field apart into its rows and bind some again:
50 us a row and field on a CPU, a fifth of a small update. The rows' places in the packed values say the same in a few
tensor operations.
"""

import functools
from typing import Any

import torch
from tensordict import TensorDict

from gmpo_verl.jagged import cut_rows, is_jagged, join_rows, measured, select_rows


def install() -> None:
    """Once a process that cuts batches; verl calls the functions by their module's names for them."""
    from verl.utils import tensordict_utils

    _replace(tensordict_utils, "index_select_tensor_dict", _packed_selection)
    _replace(tensordict_utils, "chunk_tensordict", _packed_chunks)
    _replace(tensordict_utils, "concat_nested_tensors", _packed_join)


def install_in_trainer() -> None:
    """`install`, and the names by which verl's trainer calls what takes the responses out of a pass's output."""
    from verl.trainer.ppo.v1 import trainer_base

    install()
    trainer_base.response_from_nested = response_from_nested
    trainer_base.response_to_nested = response_to_nested


def response_from_nested(tensor: Any, response_mask: Any) -> torch.Tensor:
    """Of rows [B, P_i + T_i] those [B, T_i] of the responses, each one place earlier, where its token was predicted."""
    lengths = response_mask.offsets().diff()
    return cut_rows(tensor.values(), tensor.offsets()[1:] - lengths - 1, lengths)


def response_to_nested(tensor: torch.Tensor, response_mask: Any) -> torch.Tensor:
    """Of rows [B, T] their first [B, T_i]."""
    lengths = response_mask.offsets().diff()
    starts = torch.arange(len(tensor), device=tensor.device) * tensor.shape[1]
    return cut_rows(tensor.flatten(0, 1), starts, lengths)


def _replace(module: Any, name: str, wrap: Any) -> None:
    verls = getattr(module, name)
    if not getattr(verls, "packed", False):
        ours = wrap(verls)
        ours.packed = True
        setattr(module, name, ours)


def _packed_selection(verls: Any) -> Any:
    @functools.wraps(verls)
    def select(batch: TensorDict | None, indices: torch.Tensor | list[int]) -> TensorDict:
        if batch is None:
            return verls(batch, indices)
        rows = torch.as_tensor(indices)
        if len(rows) == len(batch) and torch.equal(rows, torch.arange(len(rows))):
            return _whole(batch)  # a micro-batch of everything
        nested = _jagged_fields(batch)
        rest = verls(batch.exclude(*nested), rows)
        rest.update({name: select_rows(value, rows) for name, value in nested.items()})
        return rest

    return select


def _packed_chunks(verls: Any) -> Any:
    @functools.wraps(verls)
    def chunk(batch: TensorDict, chunks: int) -> list[TensorDict]:
        if chunks == 1:
            return [_whole(batch)]
        nested = _jagged_fields(batch)
        parts = list(verls(batch.exclude(*nested), chunks))
        for part, rows in zip(parts, torch.arange(len(batch)).chunk(chunks), strict=True):
            part.update({name: select_rows(value, rows) for name, value in nested.items()})
        return parts

    return chunk


def _packed_join(verls: Any) -> Any:
    @functools.wraps(verls)
    def join(tensors: list[torch.Tensor]) -> torch.Tensor:
        return join_rows(tensors) if all(map(is_jagged, tensors)) else verls(tensors)

    return join


def _whole(batch: TensorDict) -> TensorDict:
    """All rows, which in what a worker is sent no longer know the longest of them."""
    return batch.clone(recurse=False).update({name: measured(value) for name, value in _jagged_fields(batch).items()})


def _jagged_fields(batch: TensorDict) -> dict[str, Any]:
    return {name: value for name, value in batch.items() if is_jagged(value)}
