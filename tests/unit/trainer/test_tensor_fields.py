"""Passes over the model get the tensors of a batch, under every name, and none of its objects."""

import pytest
import torch
from tensordict import TensorDict
from tensordict.tensorclass import NonTensorStack
from transfer_queue import KVBatchMeta

from gmpo_verl.trainer import tensor_fields
from gmpo_verl.trainer.tensor_fields import TensorFields

NESTED = torch.nested.as_nested_tensor([torch.ones(3)], layout=torch.jagged)
ROW = {"input_ids": NESTED, "uid": NonTensorStack("a"), "extra_info": NonTensorStack({}), "images": NonTensorStack({})}


@pytest.fixture(autouse=True)
def fetched(monkeypatch):
    """The keys that were fetched to learn what the fields are."""
    fetched = []

    def get(keys, partition_id):
        fetched.extend(keys)
        return TensorDict(ROW, batch_size=1)

    monkeypatch.setattr(tensor_fields.tq, "kv_batch_get", get)
    return fetched


def batch_of(fields):
    return KVBatchMeta(partition_id="train", keys=["first", "second"], tags=[{}, {}], fields=fields)


def test_objects_are_left_out_of_a_pass_and_stay_in_the_batch(fetched):
    batch = batch_of([*ROW, "advantages", "rm_scores"])
    given = TensorFields().only(lambda batch: batch.fields)
    assert given(batch) == ["input_ids", "advantages"]
    assert batch.fields == [*ROW, "advantages", "rm_scores"]
    assert fetched == ["first"]


def test_what_the_fields_are_is_learned_once(fetched):
    given = TensorFields().only(lambda batch: batch.fields)
    given(batch_of([*ROW]))
    assert given(batch_of([*ROW, "old_log_probs"])) == ["input_ids", "old_log_probs"]
    assert fetched == ["first"]


def test_a_batch_that_does_not_say_its_fields_has_those_of_its_rows():
    assert TensorFields().only(lambda batch: batch.fields)(batch_of(None)) == ["input_ids"]


def test_objects_that_a_pass_reads_can_be_named():
    given = TensorFields(also=frozenset({"images"})).only(lambda batch: batch.fields)
    assert given(batch_of([*ROW])) == ["input_ids", "images"]


def test_the_batch_is_as_before_after_a_pass_that_fails():
    def fails(batch):
        raise RuntimeError

    batch = batch_of([*ROW])
    with pytest.raises(RuntimeError):
        TensorFields().only(fails)(batch)
    assert batch.fields == [*ROW]
