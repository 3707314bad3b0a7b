"""What the workers' passes over the model fetch from the transfer queue: tensors, and no Python objects."""

from collections.abc import Callable
from typing import Any

import torch
import transfer_queue as tq

Pass = Callable[[Any], Any]

UNREAD = frozenset({"dummy_tensor", "rm_scores", "returns", "entropy", "log_probs"})  # tensors that no pass reads


class TensorFields:
    """Of a response's thirty fields half are texts and dictionaries, which no pass reads, nor does it all the tensors.

    Fetched all the same they are unpickled, indexed and cast row by row in every pass, a third of a small one's time.

    Args:
        also: fields of objects that the passes do read.
    """

    def __init__(self, also: frozenset[str] = frozenset()) -> None:
        self._also = also
        self._objects: frozenset[str] | None = None

    def only(self, method: Pass) -> Pass:
        """The worker group's method, given these fields of its batch."""

        def call(batch: Any) -> Any:
            before, batch.fields = batch.fields, self._names(batch)
            try:
                return method(batch)
            finally:
                batch.fields = before

        return call

    def _names(self, batch: Any) -> list[str]:
        names = batch.fields
        if self._objects is None or names is None:
            row = tq.kv_batch_get(keys=batch.keys[:1], partition_id=batch.partition_id)
            there = list(row.keys())
            self._objects = frozenset(name for name in there if not isinstance(row[name], torch.Tensor))
            names = there if names is None else names
        unread = (self._objects | UNREAD) - self._also
        return [name for name in names if name not in unread]
