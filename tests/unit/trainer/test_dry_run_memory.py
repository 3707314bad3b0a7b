"""The estimate of memory against the same sums by hand."""

from dataclasses import replace

import pytest
from omegaconf import OmegaConf

from gmpo_verl.config.compose import compose
from gmpo_verl.trainer.preflight.known_models import KNOWN_MODELS, KNOWN_PARAMETERS
from gmpo_verl.trainer.preflight.memory_estimate import estimate
from gmpo_verl.trainer.preflight.model_shape import ModelShape, shape_of

ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
FSDP = f"{ACTOR}.fsdp_config"
SMALL = ModelShape(
    layers=2,
    hidden=4,
    query=4,
    key_value=2,
    key_value_heads=1,
    mlp=8,
    vocabulary=10,
    layer_parameters=100,
    embedding_parameters=80,
    parameters=1000,
)
TEN_TOKENS = {"trainer.n_gpus_per_node": 2, "trainer.nnodes": 1, f"{ACTOR}.ppo_max_token_len_per_gpu": 10}
GPU = 10_000  # bytes


@pytest.fixture(scope="module")
def recipe():
    return compose(["recipe=qwen2_5_math_7b"])


@pytest.fixture
def small(recipe):
    """The estimate of SMALL on two GPUs of 10,000 bytes, some options changed."""

    def estimated(shape=SMALL, **changes):
        config = recipe.copy()
        for key, value in (TEN_TOKENS | changes).items():
            OmegaConf.update(config, key, value)
        return estimate(config, shape, GPU)

    return estimated


def test_a_small_model_by_hand(small):
    found = small()
    assert found.update == {
        "weights": 4 * 1000 / 2,
        "gradients": 4 * 1000 / 2,
        "Adam": 2 * 4 * 1000 / 2,
        "gathered layers": 2 * (3 * 100 + 80),
        # the inputs of two layers, and one layer: 5 x 4 + 2 x 4 + 2 x 2 + 4 x 8 numbers a token
        "activations": 2 * 2 * 10 * 4 + 2 * 10 * 64,
        "logits": 10 * 10 * (2 + 2 + 4),
    }
    assert sum(found.update.values()) == 11_000
    assert found.rollout == {"weights": 2000, "Adam": 4000, "vLLM": 6000}
    assert found.peak == 12_000
    # 6,000 bytes less the weights in bf16; a token keeps 2 layers x 2 x 2 numbers
    assert found.cache_tokens == (6000 - 2 * 1000) // 16 == 250
    assert (found.host, found.checkpoint) == (0, 12_000)


def test_the_7b_run_by_hand(recipe):
    shape = shape_of(KNOWN_MODELS["Qwen/Qwen2.5-Math-7B"], KNOWN_PARAMETERS["Qwen/Qwen2.5-Math-7B"])
    found = estimate(recipe, shape)
    assert {name: round(size / 1e9, 2) for name, size in found.update.items()} == {
        "weights": 3.81,  # 4 x 7,615,616,512 / 8
        "gradients": 3.81,
        "Adam": 7.62,
        "gathered layers": 3.58,  # 2 x (3 x 233,046,016 + 2 x 152,064 x 3,584)
        "activations": 6.63,  # 2 x 16,384 x (28 x 3,584 + 102,912 - 1,024)
        "logits": 19.93,  # 8 x 16,384 x 152,064
    }
    assert found.rollout["vLLM"] == pytest.approx(48e9)
    assert found.checkpoint == 12 * 7_615_616_512
    # 28 layers x 2 x 512 numbers of two bytes a token
    assert found.cache_tokens == int((48e9 - 2 * 7_615_616_512) // (2 * 2 * 512 * 28))


def test_more_ranks_share_what_is_stored_and_nothing_else(small):
    two, eight = small(), small(**{"trainer.n_gpus_per_node": 4, "trainer.nnodes": 2})
    for name, size in two.update.items():
        shared = name in ("weights", "gradients", "Adam")
        assert eight.update[name] == (size / 4 if shared else size)
    assert eight.checkpoint == two.checkpoint


def test_offloading_moves_what_is_stored_to_the_host(small):
    both = small(**{f"{FSDP}.param_offload": True, f"{FSDP}.optimizer_offload": True})
    assert both.update == small().update  # they come back for the update
    assert both.rollout == {"vLLM": 6000}
    assert both.host == 2 * (2000 + 4000)
    policy = small(**{f"{FSDP}.offload_policy": True})
    assert set(policy.update) == {"gathered layers", "activations", "logits"}
    assert policy.rollout == {"vLLM": 6000}
    assert policy.host == 2 * (2000 + 2000 + 4000)


def test_without_checkpointing_every_layer_keeps_its_activations(small):
    found = small(**{"actor_rollout_ref.model.enable_gradient_checkpointing": False})
    assert found.update["activations"] == 2 * 2 * 10 * 64


def test_weights_that_stay_gathered_are_counted_whole(small):
    assert small(**{f"{FSDP}.reshard_after_forward": False}).update["gathered layers"] == 2 * (1000 + 100)


def test_an_engine_over_several_gpus_shares_its_weights_and_its_heads(small):
    two_heads = replace(SMALL, key_value=4, key_value_heads=2)
    assert small(two_heads).cache_tokens == (6000 - 2000) // 32
    assert small(two_heads, **{f"{ROLLOUT}.tensor_model_parallel_size": 2}).cache_tokens == (6000 - 1000) // 16


def test_rollouts_on_gpus_of_their_own_leave_the_training_alone(small):
    found = small(**{"trainer.v1.trainer_mode": "separate_async", f"{ROLLOUT}.free_cache_engine": False})
    assert found.rollout == {"vLLM": 6000}
    assert "vLLM" not in found.update


def test_an_engine_that_does_not_sleep_keeps_its_share_during_the_update(small):
    assert small(**{f"{ROLLOUT}.free_cache_engine": False}).update["vLLM"] == 6000


def test_a_reference_model_waits_on_the_host(small):
    assert small(**{"trainer.kl_to_ref": True}).host == 2 * 2000


def test_a_micro_batch_is_no_larger_than_what_a_rank_gets(small):
    budget = {f"{ACTOR}.ppo_max_token_len_per_gpu": 16_384}
    assert small(**budget).update["logits"] == 16_384 * 10 * 8
    # 128 responses an update are two for each of 64 ranks
    found = small(**budget, **{"trainer.n_gpus_per_node": 8, "trainer.nnodes": 8})
    assert found.update["logits"] == 2 * 4024 * 10 * 8


def test_micro_batches_of_fixed_size_count_their_longest_responses(small):
    fixed = {f"{ACTOR}.use_dynamic_bsz": False, f"{ACTOR}.ppo_micro_batch_size_per_gpu": 2}
    assert small(**fixed).update["logits"] == 2 * 4024 * 10 * 8
