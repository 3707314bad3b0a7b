"""Weights arrive at every rollout worker as they left the first trainer rank."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import zmq
from verl.checkpoint_engine import CheckpointEngineRegistry

from gmpo_verl.cpu import checkpoint_engine
from gmpo_verl.cpu.checkpoint_engine import ZMQCheckpointEngine


@pytest.fixture(autouse=True)
def one_machine(monkeypatch):
    monkeypatch.setattr(checkpoint_engine.ray.util, "get_node_ip_address", lambda: "127.0.0.1")


def group(trainers: int, rollouts: int) -> tuple[list[ZMQCheckpointEngine], list[ZMQCheckpointEngine]]:
    """Connected engines, as verl's `CheckpointEngineManager.build_process_group` connects them."""
    senders = [ZMQCheckpointEngine(bucket_size=1, is_master=rank == 0) for rank in range(trainers)]
    receivers = [ZMQCheckpointEngine(bucket_size=1) for _ in range(rollouts)]
    metadata = [engine.prepare() for engine in (*senders, *receivers)]
    for engines, options in zip(
        (senders, receivers), ZMQCheckpointEngine.build_topology(trainers, rollouts, metadata), strict=True
    ):
        assert all(len(values) == len(engines) for values in options.values())
        for rank, engine in enumerate(engines):
            engine.init_process_group(**{name: values[rank] for name, values in options.items()})
    return senders, receivers


def weights(version: float) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "embedding": torch.randn(7, 5, generator=generator) + version,
        "half": torch.randn(3, 4, generator=generator).to(torch.bfloat16),
        "transposed": torch.randn(4, 6, generator=generator).T,
        "scale": torch.tensor(version),
        "count": torch.arange(9),
    }


def test_it_is_found_under_its_name():
    assert CheckpointEngineRegistry.get("zmq") is ZMQCheckpointEngine


@pytest.mark.parametrize(("trainers", "rollouts"), [(1, 1), (2, 1), (1, 3)])
def test_every_rollout_worker_gets_every_weight_in_order_round_after_round(trainers, rollouts):
    for version in (1.0, 2.0):
        senders, receivers = group(trainers, rollouts)
        sent = weights(version)
        walked = []

        def walk(rank: int, sent: dict[str, torch.Tensor] = sent, walked: list[int] = walked) -> Iterator:
            for item in sent.items():
                walked.append(rank)
                yield item

        with ThreadPoolExecutor(trainers + rollouts) as pool:
            sending = [pool.submit(asyncio.run, engine.send_weights(walk(r))) for r, engine in enumerate(senders)]
            got = list(pool.map(lambda engine: list(engine.receive_weights()), receivers))
            assert [future.result() for future in sending] == [{}] * trainers
        assert sorted(walked) == sorted(list(range(trainers)) * len(sent))  # making a weight takes all ranks
        for received in got:
            assert [name for name, _ in received] == list(sent)
            for name, weight in received:
                assert weight.dtype == sent[name].dtype
                assert torch.equal(weight, sent[name])
        for engine in (*senders, *receivers):
            engine.finalize()


def test_a_peer_that_has_died_is_an_error_and_no_endless_wait(monkeypatch):
    monkeypatch.setattr(checkpoint_engine, "_PATIENCE", 100)  # ms
    (sender,), (receiver,) = group(1, 1)
    with pytest.raises(zmq.Again):
        list(receiver.receive_weights())
    receiver.finalize()
    with pytest.raises(zmq.Again):
        asyncio.run(sender.send_weights((f"weight {number}", torch.zeros(1)) for number in range(1000)))
    sender.finalize()
