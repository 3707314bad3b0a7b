"""Log-probs in chunks are verl's bit for bit, and so are their gradients."""

import inspect

import pytest
import torch
from verl.utils import torch_functional

from gmpo_verl.patches import token_log_probs

VERLS = inspect.unwrap(torch_functional.logprobs_from_logits_v2)


@pytest.mark.parametrize("shape", [(7, 5), (3, 4, 5), (1, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_values_and_gradients_are_verls(shape, dtype, monkeypatch):
    monkeypatch.setattr(token_log_probs, "CHUNK", 12)  # of 7 rows of 5 logits, chunks of 2, 2, 2 and 1
    logits = (10 * torch.randn(shape)).to(dtype).requires_grad_()
    labels = torch.randint(shape[-1], shape[:-1])
    ours, theirs = token_log_probs._chunked(VERLS)(logits, labels), VERLS(logits, labels)
    assert torch.equal(ours, theirs)
    weights = torch.randn_like(ours)
    assert torch.equal(*(torch.autograd.grad(values, logits, weights)[0] for values in (ours, theirs)))


def test_verl_still_goes_token_by_token():
    assert "torch.logsumexp(logit, dim=-1) for logit in logits" in inspect.getsource(VERLS)
