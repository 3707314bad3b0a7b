"""The checkpoint engine `zmq`, which takes weights to rollout workers of their own (verl's `separate_async`).

verl's engines for that move device memory (NCCL, NIXL, Mooncake) and its engine `naive` serves workers on the same
device alone. Importing this module registers the engine; verl imports what
`rollout.checkpoint_engine.custom_backend_module` names in every worker.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import ray
import torch
import zmq
from verl.checkpoint_engine import CheckpointEngine, CheckpointEngineRegistry

_PATIENCE = 300_000  # ms for the next weight: longer than gathering one takes, and an end where the peer has died
_QUEUE = 2  # weights that wait on either side; zmq's 1000 would be a second model in memory
_END = [b""]


@CheckpointEngineRegistry.register("zmq")
class ZMQCheckpointEngine(CheckpointEngine):
    """The first trainer rank pushes every weight to each rollout worker, whole and in order, one message a weight.

    Args:
        bucket_size, is_master: verl's; a weight is not cut into buckets, and the topology says who sends.
    """

    def __init__(self, bucket_size: int, is_master: bool = False) -> None:
        self._inbox: zmq.Socket | None = None
        self._outboxes: list[zmq.Socket] = []

    def prepare(self) -> dict[str, str]:
        """The address at which this worker would receive."""
        self._inbox = self._socket(zmq.PULL)
        host = ray.util.get_node_ip_address().strip("[]")
        self._inbox.bind(f"tcp://[{host}]:*" if ":" in host else f"tcp://{host}:*")
        return {"address": self._inbox.getsockopt_string(zmq.LAST_ENDPOINT)}

    @classmethod
    def build_topology(
        cls, actor_wg_world_size: int, rollout_world_size: int, metadata: list[dict[str, str]]
    ) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
        """The rollout workers' addresses for the first trainer rank, none for all others."""
        receivers = [worker["address"] for worker in metadata[actor_wg_world_size:]]
        return (
            {"receivers": [receivers] + [[]] * (actor_wg_world_size - 1)},
            {"receivers": [[]] * rollout_world_size},
        )

    def init_process_group(self, receivers: list[str]) -> None:  # type: ignore[override]  # build_topology's key
        for address in receivers:
            outbox = self._socket(zmq.PUSH)
            outbox.connect(address)
            self._outboxes.append(outbox)

    async def send_weights(
        self, weights: Iterable[tuple[str, torch.Tensor]], global_steps: int | None = None
    ) -> dict[str, float]:
        # Every trainer rank walks through them: making one gathers it from all ranks.
        for name, weight in weights:
            if self._outboxes:
                self._send(_packed(name, weight))
        self._send(_END)
        return {}

    def receive_weights(  # type: ignore[override]  # verl takes any iterator
        self, global_steps: int | None = None
    ) -> Iterator[tuple[str, torch.Tensor]]:
        assert self._inbox is not None
        while (message := self._inbox.recv_multipart()) != _END:
            yield _unpacked(message)

    def finalize(self) -> None:
        for socket in (self._inbox, *self._outboxes):
            if socket is not None:
                socket.close()
        self._inbox, self._outboxes = None, []

    def _send(self, message: list[bytes]) -> None:
        for outbox in self._outboxes:
            outbox.send_multipart(message)

    def _socket(self, kind: int) -> zmq.Socket:
        socket: zmq.Socket = zmq.Context.instance().socket(kind)
        socket.set(zmq.IPV6, 1)
        socket.set(zmq.LINGER, 0)  # what is closed has been received, or nobody is there any more
        socket.set_hwm(_QUEUE)
        socket.set(zmq.SNDTIMEO, _PATIENCE)
        socket.set(zmq.RCVTIMEO, _PATIENCE)
        return socket


def _packed(name: str, weight: torch.Tensor) -> list[bytes]:
    """A header and the values; nothing that a receiver would have to execute."""
    header = {"name": name, "dtype": str(weight.dtype).removeprefix("torch."), "shape": list(weight.shape)}
    values = weight.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return [json.dumps(header).encode(), values]


def _unpacked(message: list[bytes]) -> tuple[str, torch.Tensor]:
    header = json.loads(message[0])
    values = torch.frombuffer(bytearray(message[1]), dtype=getattr(torch, header["dtype"]))
    return header["name"], values.reshape(header["shape"])
