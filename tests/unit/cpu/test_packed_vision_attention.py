"""After verl's patches a packed row of Qwen2.5-VL gives what transformers' model gives for each sequence alone."""

import inspect

import pytest
import torch
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl
from transformers.models.qwen2_vl import modeling_qwen2_vl
from verl.models.transformers import qwen2_vl
from verl.workers.engine.fsdp import transformer_impl

from gmpo_verl.cpu import packed_attention, packed_vision_attention

LENGTHS = (7, 2, 5)
FULL, SLIDING = {}, {"use_sliding_window": True, "sliding_window": 2, "max_window_layers": 0}
PATCHED_BY_VERL = [
    getattr(module, prefix + name)
    for module, prefix in ((modeling_qwen2_vl, "Qwen2VL"), (modeling_qwen2_5_vl, "Qwen2_5_VL"))
    for name in ("Attention", "Model", "ForConditionalGeneration")
]


@pytest.fixture(autouse=True)
def undo(monkeypatch):
    """A test begins with verl as it is, whoever has imported our worker, and leaves it so."""
    packed_attention.register()
    for model in PATCHED_BY_VERL:
        monkeypatch.setattr(model, "forward", model.forward)
    monkeypatch.setattr(qwen2_vl, "qwen2_vl_attn_forward", qwen2_vl.qwen2_vl_attn_forward)
    verls = inspect.unwrap(transformer_impl.apply_monkey_patch)
    monkeypatch.setattr(transformer_impl, "apply_monkey_patch", verls)


def whole_model(attention, options):
    torch.manual_seed(0)
    text = {
        "model_type": "qwen2_5_vl_text",
        "vocab_size": 40,
        "hidden_size": 48,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_parameters": {"rope_type": "default", "mrope_section": [1, 2, 3], "rope_theta": 10000.0},
    }
    vision = {"depth": 1, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 48}
    config = Qwen2_5_VLConfig(text_config=text | options, vision_config=vision)
    return Qwen2_5_VLForConditionalGeneration._from_config(config, attn_implementation=attention)


def sequence(length):
    """Embeddings [1, L, 48] and positions [4, 1, L]: of the text, and of an image at its beginning."""
    text = torch.arange(length)[None]
    image = torch.tensor([[0, 0, 0], [0, 0, 1], [0, 1, 0]])[:, :length]
    rest = torch.arange(2, 2 + length - image.shape[1]).expand(3, -1)
    positions = torch.cat([text, torch.cat([image, rest], dim=1)])
    return torch.randn(1, length, 48, generator=torch.Generator().manual_seed(length)), positions.unsqueeze(1)


def outputs(model, sequences):
    text = model.model.language_model
    return torch.cat(
        [
            text(inputs_embeds=embeds, position_ids=positions, use_cache=False).last_hidden_state[0]
            for embeds, positions in sequences
        ]
    )


def packed(sequences):
    embeds, positions = zip(*sequences, strict=True)
    return [(torch.cat(embeds, dim=1), torch.cat(positions, dim=2))]


def gradients(model, values):
    values.square().sum().backward()
    return [parameter.grad for parameter in model.model.language_model.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("attention", [packed_attention.NAME, "sdpa"])
@pytest.mark.parametrize("options", [FULL, SLIDING], ids=["full", "sliding"])
def test_values_and_gradients_are_those_of_each_sequence_alone(attention, options):
    sequences = [sequence(length) for length in LENGTHS]
    alone = whole_model("eager", options)
    expected = outputs(alone, sequences)

    packed_vision_attention.install()
    together = whole_model(attention, options)
    transformer_impl.apply_monkey_patch(together, use_remove_padding=True)
    values = outputs(together, packed(sequences))

    torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-5)
    for mine, theirs in zip(gradients(together, values), gradients(alone, expected), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="flash attention may be installed")
def test_without_ours_verl_calls_flash_attention():
    """When this fails, `gmpo_verl.cpu.packed_vision_attention` can go."""
    model = whole_model("sdpa", FULL)
    transformer_impl.apply_monkey_patch(model, use_remove_padding=True)
    with pytest.raises(NameError, match="flash"):
        outputs(model, packed([sequence(length) for length in LENGTHS]))
