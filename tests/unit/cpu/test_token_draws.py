"""Tokens come as often as their probabilities say."""

import inspect
import math

import pytest
import torch

from gmpo_verl.cpu.sampling import draw


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("vocabulary", [2, 7, 400])
def test_frequencies_are_the_softmax(vocabulary):
    draws = 200_000
    logits = torch.randn(vocabulary) * 2
    counts = torch.bincount(draw(logits.expand(draws, -1)), minlength=vocabulary).double()
    expected = logits.double().softmax(-1) * draws
    chi_square = ((counts - expected) ** 2 / expected).sum().item()
    freedom = vocabulary - 1
    assert chi_square < freedom + 5 * math.sqrt(2 * freedom)


def test_a_masked_token_never_comes_wherever_it_stands():
    logits = torch.zeros(50_000, 5)
    logits[:, [0, 2, 4]] = -math.inf
    assert set(draw(logits).tolist()) == {1, 3}


def test_rows_are_drawn_from_their_own_logits():
    chosen = torch.randint(0, 1000, (64,))
    logits = torch.full((64, 1000), -math.inf)
    logits[torch.arange(64), chosen] = 3.0
    assert torch.equal(draw(logits), chosen)


def test_rare_tokens_behind_a_large_vocabulary_stay_as_rare():
    logits = torch.zeros(2_000, 50_000)
    logits[:, -1] = math.log(50_000)  # half of all
    share = (draw(logits) == 49_999).double().mean().item()
    assert share == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(2_000))


def test_it_is_still_needed():
    """vLLM still draws a number for each token of the vocabulary on CPU, in the function that is replaced."""
    from vllm.v1.sample.ops import topk_topp_sampler

    source = inspect.getsource(topk_topp_sampler)
    assert "def compiled_random_sample(logits" in source and "q.exponential_()" in source
    assert "return compiled_random_sample(logits), logits_to_return" in source
