"""What the trainer holds of a round is what the transfer queue would return, without a message to it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from row_queue import RowQueue, packed
from tensordict import NonTensorData, NonTensorStack, TensorDict
from transfer_queue import KVBatchMeta

from gmpo_verl.trainer.round_fields import RoundFields

KEYS = [f"prompt_{session}_0" for session in range(5)]
LENGTHS = (3, 1, 4, 1, 5)


def jagged(rows, seed):
    generator = torch.Generator().manual_seed(seed)
    return packed([torch.rand(LENGTHS[row], generator=generator) for row in rows])


def batch_of(keys=KEYS, **extra_info):
    return KVBatchMeta(partition_id="train", keys=list(keys), tags=[{"of": key} for key in keys], extra_info=extra_info)


def a_queue():
    queue = RowQueue()
    fields = {"input_ids": jagged(range(5), 0), "uid": NonTensorStack(*"aabbb"), "raw_prompt": NonTensorStack(*"ABCDE")}
    queue.kv_batch_put(KEYS, "train", TensorDict(fields, batch_size=5))
    queue.calls.clear()
    return queue


@pytest.fixture
def queue():
    return a_queue()


@pytest.fixture
def held(queue):
    held = RoundFields(queue)
    held.fetch(batch_of())
    queue.calls.clear()
    return held


def same(ours, theirs):
    assert set(ours.keys()) == set(theirs.keys())
    assert ours.batch_size == theirs.batch_size
    for name in sorted(ours.keys()):
        mine, queues = ours.get(name), theirs.get(name)
        if not isinstance(mine, torch.Tensor):
            assert mine.tolist() == queues.tolist()
            continue
        assert mine.is_nested == queues.is_nested
        if mine.is_nested:
            mine, queues = mine.to_padded_tensor(-1.0), queues.to_padded_tensor(-1.0)
        assert torch.equal(mine, queues)


SUBSETS = st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True)
WRITES = st.tuples(SUBSETS, st.sets(st.sampled_from(["jagged", "dense", "object"]), min_size=1))


@given(st.lists(st.one_of(WRITES, SUBSETS), max_size=8))
def test_writes_and_reads_in_any_order_are_the_queues(operations):
    queue, reference = a_queue(), a_queue()
    held = RoundFields(queue)
    held.fetch(batch_of())
    for seed, operation in enumerate(operations):
        if isinstance(operation, list):
            keys = [KEYS[row] for row in operation]
            names = ["input_ids", "uid", "jagged", "dense", "object", "never"]
            same(held.kv_batch_get(keys, "train", names), reference.kv_batch_get(keys, "train", names))
            continue
        rows, names = operation
        values = {
            "jagged": jagged(rows, seed),
            "dense": torch.tensor(rows) + seed,
            "object": NonTensorStack(*[f"{row} {seed}" for row in rows]),
        }
        keys, fields = [KEYS[row] for row in rows], TensorDict({name: values[name] for name in names}, len(rows))
        held.kv_batch_put(keys, "train", fields)
        reference.kv_batch_put(keys, "train", fields)
    assert "put" not in queue.calls


def test_a_round_is_fetched_once_and_read_and_written_here(held, queue):
    written = held.kv_batch_put(KEYS[:2], "train", TensorDict({"advantages": jagged([0, 1], 1)}, batch_size=2))
    assert written.keys == KEYS[:2]
    assert written.tags == [{"of": key} for key in KEYS[:2]]
    assert set(held.kv_batch_get(KEYS[:2], "train", ["advantages", "input_ids"]).keys()) == {"advantages", "input_ids"}
    assert set(held.kv_batch_get(KEYS, "train", ["advantages", "input_ids"]).keys()) == {"input_ids"}
    assert queue.calls == []


def test_what_is_not_held_comes_from_the_queue(held, queue):
    assert list(held.kv_batch_get(KEYS, "train", ["raw_prompt"])["raw_prompt"]) == list("ABCDE")
    assert "raw_prompt" in held.kv_batch_get(KEYS, "train")
    assert held.kv_batch_get(KEYS, "val", ["input_ids"]).batch_size == (5,)
    assert held.kv_batch_put(KEYS, "train", tags=[{}] * 5) == "put in the queue"
    assert queue.calls == ["get", "get", "get", "put"]
    assert held.rows is queue.rows


def test_a_cleared_round_is_forgotten(held, queue):
    held.kv_batch_put(KEYS, "train", TensorDict({"advantages": jagged(range(5), 1)}, batch_size=5))
    held.kv_clear(KEYS, "train")
    assert set(held.kv_batch_get(KEYS, "train", ["input_ids", "advantages"]).keys()) == {"input_ids"}
    assert queue.calls == ["clear", "get"]


def test_two_batches_of_a_round_are_held_together(queue):
    held = RoundFields(queue)
    held.fetch(batch_of(KEYS[:2]))
    held.fetch(batch_of(KEYS[2:]))
    queue.calls.clear()
    same(
        held.kv_batch_get(KEYS, "train", ["input_ids", "uid"]),
        a_queue().kv_batch_get(KEYS, "train", ["input_ids", "uid"]),
    )
    assert queue.calls == []


def test_a_pass_takes_tensors_and_options_and_its_tensors_are_held(held, queue):
    def compute_log_prob(data):
        assert isinstance(data, TensorDict)
        assert data["temperature"] == 0.5
        assert set(data.keys()) == {"input_ids", "temperature"}
        return TensorDict({"log_probs": -data["input_ids"]}, batch_size=len(data))

    batch = batch_of(KEYS[3:], temperature=0.5)
    output = held.given(compute_log_prob)(batch)
    assert output.keys == batch.keys
    expected = -jagged(range(5), 0).to_padded_tensor(0)[3:]
    log_probs = held.kv_batch_get(batch.keys, "train", ["log_probs"])["log_probs"]
    assert torch.equal(log_probs.to_padded_tensor(0), expected)
    assert queue.calls == []


def test_what_a_pass_says_of_its_batch_is_not_held(held):
    def compute_log_prob(data):
        output = {"log_probs": -data["input_ids"], "metrics": NonTensorData({"mfu": 0.5})}
        return TensorDict(output, batch_size=len(data))

    for keys in (KEYS[:2], KEYS[2:]):  # a round in two parts
        held.given(compute_log_prob)(batch_of(keys))
    assert set(held.kv_batch_get(KEYS, "train", ["log_probs", "metrics"]).keys()) == {"log_probs"}


def test_what_a_pass_returns_of_the_round_as_a_whole_is_returned(held):
    metrics = TensorDict({"metrics": NonTensorData({"loss": 1.0})}, batch_size=())
    assert held.given(lambda data: metrics)(batch_of()) is metrics
