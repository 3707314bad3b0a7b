"""A transfer queue of one process, without messages, for what reads and writes one."""

import torch
from tensordict import NonTensorStack, TensorDict


class RowQueue:
    """Keeps each response's fields as the transfer queue does, and returns them as it does."""

    def __init__(self):
        self.rows, self.calls = {}, []

    def kv_batch_put(self, keys, partition_id, fields=None, tags=None):
        self.calls.append("put")
        for name in fields.keys() if fields is not None else ():
            values = fields[name]
            rows = values.unbind() if isinstance(values, torch.Tensor) else list(values)
            for key, value in zip(keys, rows, strict=True):
                self.rows.setdefault(key, {})[name] = value
        return "put in the queue"

    def kv_batch_get(self, keys, partition_id, select_fields=None):
        self.calls.append("get")
        rows = [self.rows[key] for key in keys]
        names = set(rows[0]).intersection(*rows) if select_fields is None else select_fields
        names = [name for name in names if all(name in row for row in rows)]
        return TensorDict({name: packed([row[name] for row in rows]) for name in names}, batch_size=len(keys))

    def kv_clear(self, keys, partition_id):
        self.calls.append("clear")


def packed(values):
    if not isinstance(values[0], torch.Tensor):
        return NonTensorStack(*values)
    return torch.stack(values) if values[0].dim() == 0 else torch.nested.as_nested_tensor(values, layout=torch.jagged)
