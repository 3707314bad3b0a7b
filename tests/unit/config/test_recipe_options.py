"""What the multimodal and the mixture-of-experts recipe set is there in verl and vLLM, and is the published set-up."""

import dataclasses
import importlib.util
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.config import RolloutConfig

from gmpo_verl.config.compose import compose

ROLLOUT = "actor_rollout_ref.rollout"
# EasyR1's examples/config.yaml with its Geometry3K scripts, and what the paper says instead
GEOMETRY3K = {
    "data.train_batch_size": 512,
    "data.max_prompt_length": 2048,
    "data.max_response_length": 2048,
    "data.filter_overlong_prompts": True,
    "data.mm_processor_kwargs": {"min_pixels": 262144, "max_pixels": 4194304},
    "data.image_key": "images",
    "actor_rollout_ref.actor.ppo_mini_batch_size": 128,
    "actor_rollout_ref.actor.freeze_vision_tower": False,
    "actor_rollout_ref.actor.optim.lr": 1e-6,
    "actor_rollout_ref.actor.optim.weight_decay": 0.01,
    "actor_rollout_ref.actor.optim.betas": [0.9, 0.999],
    "actor_rollout_ref.actor.grad_clip": 1.0,
    "actor_rollout_ref.actor.use_kl_loss": False,  # the paper's beta = 0; EasyR1's is 0.01
    f"{ROLLOUT}.n": 5,
    f"{ROLLOUT}.temperature": 1.0,
    f"{ROLLOUT}.val_kwargs.n": 16,  # the paper's
    f"{ROLLOUT}.val_kwargs.temperature": 0.5,  # the paper's
    "trainer.total_epochs": 15,
}


def vllm_engine_options() -> str:
    spec = importlib.util.find_spec("vllm")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("vLLM is not installed")
    return Path(spec.submodule_search_locations[0], "engine", "arg_utils.py").read_text(encoding="utf-8")


def test_the_multimodal_recipe_is_easy_r1s_set_up_with_the_papers_changes():
    config = compose(["recipe=qwen2_5_vl_7b_geometry3k"])
    found = {option: OmegaConf.select(config, option) for option in GEOMETRY3K}
    assert {
        option: OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
        for option, value in found.items()
    } == GEOMETRY3K


def test_an_image_of_the_fewest_pixels_leaves_room_in_a_prompt():
    data = compose(["recipe=qwen2_5_vl_7b_geometry3k"]).data
    assert data.mm_processor_kwargs.min_pixels / 28**2 < data.max_prompt_length / 4


def test_the_limit_on_images_is_vllms_own_option():
    limits = compose(["recipe=qwen2_5_vl_7b_geometry3k"]).actor_rollout_ref.rollout.engine_kwargs.vllm
    assert OmegaConf.to_container(limits)["limit_mm_per_prompt"] == {"image": 1, "video": 0}
    assert "limit_mm_per_prompt:" in vllm_engine_options()


def test_the_experts_of_a_rollout_engine_are_dealt_out_to_all_its_gpus():
    rollout = compose(["recipe=qwen3_30b_a3b"]).actor_rollout_ref.rollout
    assert "expert_parallel_size" in {field.name for field in dataclasses.fields(RolloutConfig)}
    assert rollout.expert_parallel_size == rollout.tensor_model_parallel_size * rollout.data_parallel_size == 4
    assert "enable_expert_parallel:" in vllm_engine_options()
    assert omega_conf_to_dataclass(rollout).expert_parallel_size == 4  # verl refuses another
    rollout.expert_parallel_size = 8
    with pytest.raises(Exception, match="expert_parallel_size must be equal"):
        omega_conf_to_dataclass(rollout)


def test_the_mixture_of_experts_recipe_has_the_papers_batches():
    config = compose(["recipe=qwen3_30b_a3b"])
    assert (config.data.train_batch_size, config.actor_rollout_ref.actor.ppo_mini_batch_size) == (128, 64)
    assert config.actor_rollout_ref.actor.fsdp_config.offload_policy is True
