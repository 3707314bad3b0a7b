"""A round's responses in the hands of the trainer's process, from the moment that they are sampled.

verl 0.9.1 reads and writes the fields of a round some fifteen times: each a message to the transfer queue's controller,
one to its storage, and a Python loop over the responses; together a third of a small step. Here they are fetched once;
what the trainer reads and writes after that is local, and the passes over the model take their tensors as arguments.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import transfer_queue
from tensordict import NonTensorData, NonTensorStack, TensorDict
from verl.utils.tensordict_utils import assign_non_tensor

from gmpo_verl.jagged import join_rows, select_rows
from gmpo_verl.trainer.tensor_fields import UNREAD

_OBJECTS = frozenset({"uid", "reward_model", "extra_fields", "num_turns"})  # that the trainer reads in every round
Pass = Callable[[Any], Any]


class RoundFields:
    """Stands before the module `transfer_queue`, to which it leaves what it does not hold.

    A field that is written here is not in the queue: no other process may read it there.
    """

    def __init__(self, queue: Any = transfer_queue) -> None:
        self._queue = queue
        self._names: frozenset[str] = frozenset()  # of the queue's fields
        self._held: list[str] = []  # of these, what is fetched
        self._partition: str | None = None
        self._tags: dict[str, Any] = {}  # of each response, by its key
        self._rows: dict[str, int] = {}
        self._columns: dict[str, _Column] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def fetch(self, batch: Any) -> None:
        """Hold the batch's fields from here on, until it is cleared."""
        if not self._held:
            row = self._queue.kv_batch_get(keys=batch.keys[:1], partition_id=batch.partition_id)
            self._names = frozenset(row.keys())
            tensors = {name for name in self._names if isinstance(row[name], torch.Tensor)}
            self._held = sorted((tensors | _OBJECTS) & self._names)
        fields = self._queue.kv_batch_get(
            keys=batch.keys, partition_id=batch.partition_id, select_fields=list(self._held)
        )
        self._partition = batch.partition_id
        for key, tag in zip(batch.keys, batch.tags, strict=True):
            self._rows[key] = len(self._rows)
            self._tags[key] = tag
        self._write(batch.keys, fields)

    def kv_batch_get(
        self, keys: Sequence[str], partition_id: str, select_fields: Sequence[str] | None = None
    ) -> TensorDict:
        """As the queue's: those of the fields that all the responses have."""
        elsewhere = select_fields is None or any(name in self._names - set(self._held) for name in select_fields)
        if elsewhere or not self._holds(keys, partition_id):
            return self._queue.kv_batch_get(keys=keys, partition_id=partition_id, select_fields=select_fields)
        return self._read(keys, select_fields or ())

    def kv_batch_put(
        self,
        keys: Sequence[str],
        partition_id: str,
        fields: TensorDict | None = None,
        tags: Sequence[Mapping[str, Any]] | None = None,
        **options: Any,
    ) -> Any:
        """As the queue's, for fields of responses that are held."""
        if fields is None or tags is not None or not self._holds(keys, partition_id):
            return self._queue.kv_batch_put(keys=keys, partition_id=partition_id, fields=fields, tags=tags, **options)
        self._write(keys, fields)
        own = [self._tags[key] for key in keys]
        return transfer_queue.KVBatchMeta(partition_id=partition_id, keys=list(keys), tags=own)

    def kv_clear(self, keys: Sequence[str], partition_id: str) -> None:
        """As the queue's; a round is cleared as a whole."""
        self._queue.kv_clear(keys=keys, partition_id=partition_id)
        if self._holds(keys, partition_id):
            self._rows, self._tags, self._columns = {}, {}, {}

    def given(self, method: Pass) -> Pass:
        """The worker group's pass over the model, given the batch's tensors; what it returns a response is held too."""

        def call(batch: Any) -> Any:
            tensors = [name for name, column in self._columns.items() if isinstance(column.values, torch.Tensor)]
            data = self._read(batch.keys, [name for name in tensors if name not in UNREAD])
            assign_non_tensor(data, **batch.extra_info)
            output = method(data)
            if not output.batch_size:
                return output
            return self.kv_batch_put(batch.keys, batch.partition_id, output)

        return call

    def _holds(self, keys: Sequence[str], partition_id: str) -> bool:
        return partition_id == self._partition and len(keys) > 0 and all(key in self._rows for key in keys)

    def _read(self, keys: Sequence[str], names: Sequence[str]) -> TensorDict:
        rows = np.array([self._rows[key] for key in keys])
        columns = {name: self._columns[name] for name in names if name in self._columns}
        fields = {name: column.of(rows) for name, column in columns.items() if column.has(rows)}
        return TensorDict(fields, batch_size=len(keys))

    def _write(self, keys: Sequence[str], fields: TensorDict) -> None:
        rows = np.array([self._rows[key] for key in keys])
        for name, values in fields.items():
            if isinstance(values, NonTensorData):
                continue  # of the batch, as the metrics of a pass, and no response's
            self._columns.setdefault(name, _Column()).write(rows, _as_the_queue_returns(values), len(self._rows))


class _Column:
    """One field: of each response that has one the value, in the order in which they came."""

    def __init__(self) -> None:
        self.values: Any = None
        self._places = np.empty(0, dtype=np.int64)  # of each response among the values; -1 where it has none

    def has(self, rows: np.ndarray) -> bool:
        return len(self._places) > rows.max() and bool((self._places[rows] >= 0).all())

    def of(self, rows: np.ndarray) -> Any:
        places = self._places[rows]
        if len(places) == len(self.values) and (places == np.arange(len(places))).all():
            return self.values
        return _select(self.values, places)

    def write(self, rows: np.ndarray, values: Any, responses: int) -> None:
        places = np.full(responses, -1)
        places[: len(self._places)] = self._places
        places[rows] = -1
        left = places >= 0
        if left.any():
            kept = _select(self.values, places[left])
            places[left] = np.arange(left.sum())
            values = _join(kept, values)
        places[rows] = np.arange(left.sum(), left.sum() + len(rows))
        self.values, self._places = values, places


def _as_the_queue_returns(values: Any) -> Any:
    """The queue keeps rows, and returns tensors of any dimension as jagged ones."""
    if isinstance(values, torch.Tensor) and not values.is_nested and values.dim() > 1:
        return torch.nested.as_nested_tensor(list(values), layout=torch.jagged)
    return values


def _select(values: Any, places: np.ndarray) -> Any:
    if isinstance(values, torch.Tensor):
        index = torch.from_numpy(places)
        return select_rows(values, index) if values.is_nested else values[index]
    wrapped = values.tensordicts  # to wrap an object again takes ten times as long
    return NonTensorStack(*(wrapped[place] for place in places))


def _join(first: Any, second: Any) -> Any:
    if isinstance(first, torch.Tensor):
        return join_rows([first, second]) if first.is_nested else torch.cat([first, second])
    return NonTensorStack(*first.tensordicts, *second.tensordicts)
