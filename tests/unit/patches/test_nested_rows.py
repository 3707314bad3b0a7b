"""Rows of nested tensors are selected as verl selects them."""

import inspect

import pytest
import torch
from tensordict import NonTensorData, NonTensorStack, TensorDict
from verl.utils import tensordict_utils

from gmpo_verl.patches.nested_rows import _packed, join_rows

VERLS = inspect.unwrap(tensordict_utils.index_select_tensor_dict)
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
    ours, theirs = _packed(VERLS)(batch, indices), VERLS(batch, indices)
    tensordict_utils.assert_tensordict_eq(ours, theirs)
    for name in ("log_probs", "logits"):
        assert torch.equal(ours[name].offsets(), theirs[name].offsets())
        padded = ours[name].to_padded_tensor(-1.0)
        longest = max(LENGTHS[row] for row in torch.as_tensor(indices))
        assert padded.shape[1] == longest  # where verl's, of more than one dimension a row, are padded further
        assert torch.equal(padded, theirs[name].to_padded_tensor(-1.0)[:, :longest])
    assert ours.batch_size == theirs.batch_size
    assert set(ours.keys()) == set(theirs.keys())


def test_a_batch_of_nothing_is_verls():
    assert _packed(VERLS)(None, [0, 1]) is None is VERLS(None, [0, 1])


def test_position_ids_of_images_are_left_to_verl():
    rows = [torch.arange(4 * length).view(4, length) for length in (2, 3)]
    ids = tensordict_utils.nested_tensor_from_tensor_list(rows, ragged_idx=2)
    batch = TensorDict({"position_ids": ids}, batch_size=2)
    ours, theirs = _packed(VERLS)(batch, [1, 0]), VERLS(batch, [1, 0])
    for mine, verls in zip(ours["position_ids"].unbind(), theirs["position_ids"].unbind(), strict=True):
        assert torch.equal(mine, verls)


def test_the_gradient_goes_to_the_rows_that_were_taken():
    values = torch.randn(sum(LENGTHS), requires_grad=True)
    rows = torch.nested.nested_tensor_from_jagged(values, offsets=OFFSETS)
    taken = _packed(VERLS)(TensorDict({"rows": rows}, batch_size=5), [3])["rows"]
    (gradient,) = torch.autograd.grad(taken.values().sum(), values)
    assert gradient.tolist() == [0.0] * 4 + [1.0] * 5 + [0.0] * 2  # the lengths before, its own, those after


def test_verl_still_unbinds_every_field():
    assert "tensor.unbind()" in inspect.getsource(VERLS)


def test_everything_in_its_order_is_a_batch_of_its_own():
    batch = a_batch()
    chosen = _packed(VERLS)(batch, list(range(5)))
    chosen["mine"] = torch.ones(5)
    assert "mine" not in batch
    assert chosen["logits"] is batch["logits"]


def test_joined_rows_are_those_of_the_parts():
    first, second = jagged(4), jagged(4)
    joined = join_rows([first, second])
    for mine, row in zip(joined.unbind(), [*first.unbind(), *second.unbind()], strict=True):
        assert torch.equal(mine, row)
    assert joined.to_padded_tensor(0.0).shape == (10, max(LENGTHS), 4)
