"""Packed sequences attend to themselves alone, with the values and gradients of each sequence on its own."""

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from gmpo_verl.cpu import packed_attention

LENGTHS = (5, 1, 9, 3)
IDS = [torch.randint(3, 40, (length,), generator=torch.Generator().manual_seed(length)) for length in LENGTHS]


@pytest.fixture(scope="module", autouse=True)
def registered():
    packed_attention.register()


def model(attention, **options):
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=40,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        **options,
    )
    return Qwen2ForCausalLM._from_config(config, attn_implementation=attention).double()


def packed(network):
    positions = torch.cat([torch.arange(length) for length in LENGTHS])
    return network(input_ids=torch.cat(IDS)[None], position_ids=positions[None], use_cache=False).logits[0]


def gradients(network, logits):
    (logits.log_softmax(-1)[:, 7] * torch.arange(1, len(logits) + 1)).sum().backward()
    return [parameter.grad for parameter in network.parameters()]


def test_logits_and_gradients_are_those_of_each_sequence_alone():
    ours, alone = model(packed_attention.NAME), model("eager")
    logits = packed(ours)
    separate = torch.cat([alone(input_ids=ids[None], use_cache=False).logits[0] for ids in IDS])
    torch.testing.assert_close(logits, separate, rtol=1e-4, atol=1e-6)  # transformers turns positions in float32
    for mine, theirs in zip(gradients(ours, logits), gradients(alone, separate), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_logits_and_gradients_are_those_of_sdpa_over_all_tokens():
    ours, theirs = model(packed_attention.NAME), model("sdpa")
    logits, expected = packed(ours), packed(theirs)
    torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-12)
    for mine, verls in zip(gradients(ours, logits), gradients(theirs, expected), strict=True):
        torch.testing.assert_close(mine, verls, rtol=1e-9, atol=1e-11)


def test_a_padded_batch_is_as_with_sdpa():
    ids = torch.randint(3, 40, (3, 6))
    mask = torch.tensor([[1] * 6, [0] * 2 + [1] * 4, [0] * 5 + [1]])
    ours, theirs = (
        model(attention)(input_ids=ids, attention_mask=mask, use_cache=False).logits
        for attention in (packed_attention.NAME, "sdpa")
    )
    torch.testing.assert_close(ours[mask.bool()], theirs[mask.bool()])


def test_a_sliding_window_is_as_with_sdpa():
    options = {"use_sliding_window": True, "sliding_window": 2, "max_window_layers": 0}
    torch.testing.assert_close(packed(model(packed_attention.NAME, **options)), packed(model("sdpa", **options)))
    assert not torch.allclose(packed(model("sdpa", **options)), packed(model("sdpa")))


def test_a_model_that_does_not_say_where_sequences_begin_is_refused():
    parts = [torch.randn(1, 2, 4, 8) for _ in range(3)]
    with pytest.raises(ValueError, match="attn_implementation=packed_sdpa needs the position ids"):
        packed_attention.packed_attention(torch.nn.Module(), *parts, attention_mask=None)
