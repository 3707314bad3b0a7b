"""Causal attention over packed sequences whose cost is linear in their number: `attn_implementation: packed_sdpa`.

verl packs the sequences of a micro-batch into one row. Flash attention keeps them apart by their offsets; without it
transformers masks the square of all tokens, most of it for nothing. Here each sequence is a row again while its
attention is computed, padded to the longest one.
"""

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "packed_sdpa"


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    position_ids: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention interface; what is not one row of packed sequences goes to its own sdpa.

    Args:
        query: [1, heads, T, d]; key and value: [1, key-value heads, T, d].
        position_ids: [1, T], 0 where a sequence begins.

    Returns:
        [1, T, heads, d], and no weights.

    Raises:
        ValueError: the model does not say where its sequences begin.
    """
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    if attention_mask is not None or not causal or len(query) > 1:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, is_causal, position_ids=position_ids, **kwargs
        )
    if position_ids is None or position_ids.ndim != 2:
        raise ValueError(f"attn_implementation={NAME} needs the position ids of packed text: use sdpa for this model")
    sequences = _Sequences(position_ids[0])
    rows = [sequences.rows(part[0].transpose(0, 1)).transpose(1, 2) for part in (query, key, value)]
    output = torch.nn.functional.scaled_dot_product_attention(
        rows[0],
        rows[1],
        rows[2],
        dropout_p=dropout,
        scale=scaling,
        is_causal=True,  # padding stands behind every token, so none sees it
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return sequences.tokens(output.transpose(1, 2)).unsqueeze(0), None


def packed_mask(batch_size: int, attention_mask: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor | None:
    """None for one row without padding, which `packed_attention` takes apart; transformers' mask for all else."""
    if batch_size == 1 and attention_mask is None and kwargs.get("local_size") is None:
        return None
    return sdpa_mask(batch_size=batch_size, attention_mask=attention_mask, **kwargs)


class _Sequences:
    """Where the tokens of packed sequences stand when each is a row, padded to the longest one.

    Tokens move as wholes, by `index_select`: the gradient of other indexing puts back a number at a time.
    """

    def __init__(self, positions: torch.Tensor) -> None:
        starts = (positions == 0).nonzero().squeeze(-1)
        lengths = torch.diff(starts, append=starts.new_tensor([len(positions)]))
        offsets = torch.arange(int(lengths.max()), device=positions.device)
        self._shape = (len(lengths), len(offsets))
        self._tokens = (starts[:, None] + offsets).clamp(max=len(positions) - 1).flatten()  # of each place a token
        self._places = (offsets < lengths[:, None]).flatten().nonzero().squeeze(-1)  # of each token its place

    def rows(self, tokens: torch.Tensor) -> torch.Tensor:
        """[T, ...] to [sequences, longest, ...]; what stands in the padding is not to be used."""
        return tokens.index_select(0, self._tokens).unflatten(0, self._shape)

    def tokens(self, rows: torch.Tensor) -> torch.Tensor:
        """[sequences, longest, ...] to [T, ...]."""
        return rows.flatten(0, 1).index_select(0, self._places)


def register() -> None:
    """In a process that builds the model."""
    AttentionInterface.register(NAME, packed_attention)
    AttentionMaskInterface.register(NAME, packed_mask)
