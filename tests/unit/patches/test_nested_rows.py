"""Rows of nested tensors are cut and joined as verl cuts and joins them."""

import inspect
import pickle

import pytest
import torch
from tensordict import NonTensorData, NonTensorStack, TensorDict
from verl.utils import tensordict_utils
from verl.workers.utils import padding

from gmpo_verl.jagged import jagged as jagged_rows
from gmpo_verl.jagged import join_rows
from gmpo_verl.patches.nested_rows import (
    _packed_chunks,
    _packed_join,
    _packed_selection,
    response_from_nested,
    response_to_nested,
)

VERLS = inspect.unwrap(tensordict_utils.index_select_tensor_dict)
VERLS_CHUNKS = inspect.unwrap(tensordict_utils.chunk_tensordict)
VERLS_JOIN = inspect.unwrap(tensordict_utils.concat_nested_tensors)
LENGTHS = (3, 1, 0, 5, 2)


OFFSETS = torch.tensor([0, *LENGTHS]).cumsum(0)


def jagged(*shape):
    return torch.nested.nested_tensor_from_jagged(torch.randn(sum(LENGTHS), *shape), offsets=OFFSETS)


def a_batch():
    return TensorDict(
        {
            "log_probs": jagged(),
            "logits": jagged(4),
            "advantages": torch.randn(5),
            "uid": NonTensorStack(*"abcde"),
            "temperature": NonTensorData(0.7),
        },
        batch_size=5,
    )


@pytest.mark.parametrize("indices", [[4, 0, 2], torch.tensor([1]), torch.tensor([3, 3, 0]), [2], [4, 3, 2, 1, 0]])
def test_every_field_is_verls(indices):
    batch = a_batch()
    ours, theirs = _packed_selection(VERLS)(batch, indices), VERLS(batch, indices)
    tensordict_utils.assert_tensordict_eq(ours, theirs)
    for name in ("log_probs", "logits"):
        assert torch.equal(ours[name].offsets(), theirs[name].offsets())
        padded = ours[name].to_padded_tensor(-1.0)
        longest = max(LENGTHS[row] for row in torch.as_tensor(indices))
        assert padded.shape[1] == longest  # where verl's, of more than one dimension a row, are padded further
        assert torch.equal(padded, theirs[name].to_padded_tensor(-1.0)[:, :longest])
    assert ours.batch_size == theirs.batch_size
    assert set(ours.keys()) == set(theirs.keys())


@pytest.mark.parametrize("chunks", [1, 5])
def test_every_chunk_is_verls(chunks):
    batch = a_batch()
    ours, theirs = _packed_chunks(VERLS_CHUNKS)(batch, chunks), VERLS_CHUNKS(batch, chunks)
    assert len(ours) == len(theirs) == chunks
    for mine, verls in zip(ours, theirs, strict=True):
        tensordict_utils.assert_tensordict_eq(mine, verls)
        assert mine.batch_size == verls.batch_size and set(mine.keys()) == set(verls.keys())


def test_chunks_of_unequal_size_are_refused_as_verl_refuses_them():
    with pytest.raises(AssertionError, match="divisible by chunks"):
        _packed_chunks(VERLS_CHUNKS)(a_batch(), 2)


def test_a_batch_of_nothing_is_verls():
    assert _packed_selection(VERLS)(None, [0, 1]) is None is VERLS(None, [0, 1])


def same_rows(ours, theirs):
    for mine, verls in zip(ours.unbind(), theirs.unbind(), strict=True):
        assert torch.equal(mine, verls)


def test_position_ids_of_images_are_left_to_verl():
    rows = [torch.arange(4 * length).view(4, length) for length in (2, 3)]
    ids = tensordict_utils.nested_tensor_from_tensor_list(rows, ragged_idx=2)
    batch = TensorDict({"position_ids": ids}, batch_size=2)
    same_rows(_packed_selection(VERLS)(batch, [1, 0])["position_ids"], VERLS(batch, [1, 0])["position_ids"])
    same_rows(_packed_join(VERLS_JOIN)([ids, ids]), VERLS_JOIN([ids, ids]))


def test_what_ranks_return_is_joined_as_verl_joins_it():
    parts = [jagged(4), jagged(4)]
    ours, theirs = _packed_join(VERLS_JOIN)(parts), VERLS_JOIN(parts)
    assert torch.equal(ours.offsets(), theirs.offsets())
    same_rows(ours, theirs)


@pytest.mark.parametrize("shape", [(), (4,)])
def test_responses_are_taken_out_of_a_passs_output_as_verl_takes_them(shape):
    prompts = torch.tensor([2, 1, 3, 1, 4])
    lengths = torch.tensor(LENGTHS)
    mask = torch.nested.nested_tensor_from_jagged(torch.ones(sum(LENGTHS)), offsets=OFFSETS)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), (prompts + lengths).cumsum(0)])
    output = torch.nested.nested_tensor_from_jagged(torch.randn(int(offsets[-1]), *shape), offsets=offsets)
    same_rows(response_from_nested(output, mask), padding.response_from_nested(output, mask))
    padded = torch.randn(len(LENGTHS), max(LENGTHS) + 1, *shape)
    same_rows(response_to_nested(padded, mask), padding.response_to_nested(padded, mask))


def test_the_gradient_goes_to_the_rows_that_were_taken():
    values = torch.randn(sum(LENGTHS), requires_grad=True)
    rows = torch.nested.nested_tensor_from_jagged(values, offsets=OFFSETS)
    taken = _packed_selection(VERLS)(TensorDict({"rows": rows}, batch_size=5), [3])["rows"]
    (gradient,) = torch.autograd.grad(taken.values().sum(), values)
    assert gradient.tolist() == [0.0] * 4 + [1.0] * 5 + [0.0] * 2  # the lengths before, its own, those after


def test_verl_still_unbinds_every_field():
    assert "tensor.unbind()" in inspect.getsource(VERLS)
    assert "nt.unbind(dim=0)" in inspect.getsource(VERLS_CHUNKS)
    assert "tensor.unbind(0)" in inspect.getsource(VERLS_JOIN)
    for function in (padding.response_from_nested, padding.response_to_nested):
        assert "response_list.append" in inspect.getsource(function)


def test_everything_in_its_order_is_a_batch_of_its_own():
    batch = a_batch()
    chosen = _packed_selection(VERLS)(batch, list(range(5)))
    chosen["mine"] = torch.ones(5)
    assert "mine" not in batch
    assert chosen["logits"].values().data_ptr() == batch["logits"].values().data_ptr()


@pytest.mark.parametrize("lengths", [[5, 5], LENGTHS])
def test_what_a_worker_is_sent_is_padded_to_its_longest_row(lengths):
    rows = jagged_rows(torch.randn(sum(lengths)), torch.tensor(lengths))
    batch = TensorDict({"old_log_probs": rows}, batch_size=len(lengths))
    assert _packed_chunks(VERLS_CHUNKS)(batch, 1)[0]["old_log_probs"] is rows  # which know their longest
    sent = pickle.loads(pickle.dumps(batch.consolidate()))
    assert sent["old_log_probs"].to_padded_tensor(0.0).shape[1] == sum(lengths)  # why all rows are made again
    (chunk,) = _packed_chunks(VERLS_CHUNKS)(sent, 1)
    for ours in (_packed_selection(VERLS)(sent, list(range(len(lengths)))), chunk):
        padded = ours.to_padded_tensor()["old_log_probs"]
        assert torch.equal(padded, rows.to_padded_tensor(0.0)) and padded.shape[1] == max(lengths)


def test_joined_rows_are_those_of_the_parts():
    first, second = jagged(4), jagged(4)
    joined = join_rows([first, second])
    for mine, row in zip(joined.unbind(), [*first.unbind(), *second.unbind()], strict=True):
        assert torch.equal(mine, row)
    assert joined.to_padded_tensor(0.0).shape == (10, max(LENGTHS), 4)
