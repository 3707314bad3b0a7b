"""A model's sizes: from its folder, or as they are known."""

import json

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import save_file

from gmpo_verl.trainer.preflight import model
from gmpo_verl.trainer.preflight.known_models import KNOWN_MODELS, KNOWN_PARAMETERS
from gmpo_verl.trainer.preflight.model_shape import model_shape, shape_of, stored_parameters

TINY = {
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
}


def configured(path) -> OmegaConf:
    return OmegaConf.create({"actor_rollout_ref": {"model": {"path": str(path)}}})


def made_by_transformers(sizes: dict):
    """The model that transformers makes of these sizes, without memory for its weights."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

    kind, sizes = sizes["model_type"], {key: value for key, value in sizes.items() if key != "model_type"}
    with torch.device("meta"):
        if kind != "qwen2_5_vl":
            return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **sizes))
        vision, tied = sizes.pop("vision_config"), sizes.pop("tie_word_embeddings")
        config = AutoConfig.for_model(kind, text_config=sizes, vision_config=vision, tie_word_embeddings=tied)
        return AutoModelForImageTextToText.from_config(config)


@pytest.mark.parametrize("name", KNOWN_MODELS)
def test_a_known_model_has_the_parameters_of_the_one_that_transformers_makes(name):
    made = made_by_transformers(KNOWN_MODELS[name])
    assert sum(weights.numel() for weights in made.parameters()) == KNOWN_PARAMETERS[name]
    decoder = made.model.language_model if hasattr(made.model, "language_model") else made.model
    one_layer = sum(weights.numel() for weights in decoder.layers[0].parameters())
    shape = shape_of(KNOWN_MODELS[name])
    assert shape.layers == len(decoder.layers)
    assert shape.layer_parameters == pytest.approx(one_layer, rel=1e-3)  # biases and norms are not counted
    assert shape.embedding_parameters % decoder.embed_tokens.weight.numel() == 0


def test_a_token_passes_the_active_experts_alone():
    experts = TINY | {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 4}
    dense, sparse = shape_of(TINY), shape_of(experts)
    assert (dense.mlp, sparse.mlp) == (16, 2 * 4)
    attention = 2 * 8 * 8 + 2 * 8 * 4
    assert dense.layer_parameters == attention + 3 * 8 * 16
    assert sparse.layer_parameters == attention + 8 * 3 * 8 * 4 + 8 * 8


def test_a_multimodal_models_decoder_is_found_one_level_down():
    assert shape_of({"model_type": "vision", "text_config": TINY}) == shape_of(TINY)


def test_the_weights_of_a_folder_are_counted_from_their_headers(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(TINY))
    assert stored_parameters(tmp_path) is None
    assert model_shape(configured(tmp_path)) == shape_of(TINY)
    save_file({"a": torch.zeros(3, 5), "b": torch.zeros(7)}, tmp_path / "one.safetensors")
    save_file({"c": torch.zeros(())}, tmp_path / "two.safetensors", metadata={"format": "pt"})
    assert stored_parameters(tmp_path) == 15 + 7 + 1
    assert model_shape(configured(tmp_path)).parameters == 23


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\x02" + b"\0" * 7 + b"[]", b"\x04" + b"\0" * 7 + b"{"])
def test_broken_weights_are_not_counted(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)
    assert stored_parameters(tmp_path) is None


def test_a_model_that_is_neither_here_nor_known_has_no_shape(tmp_path, monkeypatch):
    monkeypatch.setattr(model, "hub_file", lambda name, file: None)
    assert model_shape(configured("nobody/nothing")) is None
    assert model_shape(configured(tmp_path)) is None
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "rwkv"}))
    assert model_shape(configured(tmp_path)) is None
    known = model_shape(configured("Qwen/Qwen2.5-Math-7B"))
    assert known.parameters == KNOWN_PARAMETERS["Qwen/Qwen2.5-Math-7B"]
