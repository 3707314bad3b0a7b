"""The 7B recipe is the run of the paper and its official script, field by field."""

import pytest
from omegaconf import OmegaConf

from gmpo_verl.config.compose import compose

ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
# what the paper or the script says: the option, its value here
THE_RUN = {
    "Qwen2.5-Math-7B": ("actor_rollout_ref.model.path", "Qwen/Qwen2.5-Math-7B"),
    "MATH levels 3 to 5": ("data.train_files", "data/math_lvl3to5/train.parquet"),
    "128 prompts a round": ("data.train_batch_size", 128),
    "a round is sampled at once": ("data.gen_batch_size", None),
    "8 responses a prompt": (f"{ROLLOUT}.n", 8),
    "an update over 128 responses, 16 prompts": (f"{ACTOR}.ppo_mini_batch_size", 16),
    "dealt out at random": (f"{ACTOR}.shuffle", True),
    "one epoch over a round": (f"{ACTOR}.ppo_epochs", 1),
    "learning rate 1e-6": (f"{ACTOR}.optim.lr", 1e-6),
    "constant": (f"{ACTOR}.optim.lr_scheduler_type", "constant"),
    "no warm-up": (f"{ACTOR}.optim.lr_warmup_steps_ratio", 0.0),
    "no warm-up steps": (f"{ACTOR}.optim.lr_warmup_steps", -1),
    "AdamW": (f"{ACTOR}.optim.optimizer", "AdamW"),
    "betas of oat": (f"{ACTOR}.optim.betas", [0.9, 0.95]),
    "weight decay of oat": (f"{ACTOR}.optim.weight_decay", 0.0),
    "gradient clip of oat": (f"{ACTOR}.grad_clip", 1.0),
    "no KL in the loss": (f"{ACTOR}.use_kl_loss", False),
    "no KL in the reward": ("algorithm.use_kl_in_reward", False),
    "no entropy bonus": (f"{ACTOR}.entropy_coeff", 0),
    "the loss": (f"{ACTOR}.policy_loss.loss_mode", "gmpo"),
    "geometric mean": (f"{ACTOR}.policy_loss.mean_exponent", 0.0),
    "cliprange 0.4, below": (f"{ACTOR}.clip_ratio_low", 0.4),
    "cliprange 0.4, above": (f"{ACTOR}.clip_ratio_high", 0.4),
    "advantage over its standard deviation": ("algorithm.norm_adv_by_std_in_grpo", True),
    "temperature 1": (f"{ROLLOUT}.temperature", 1.0),
    "top-p 1": (f"{ROLLOUT}.top_p", 1.0),
    "no top-k": (f"{ROLLOUT}.top_k", -1),
    "prompt 1,024": ("data.max_prompt_length", 1024),
    "longer prompts are left out": ("data.filter_overlong_prompts", True),
    "response 3,000": ("data.max_response_length", 3000),
    "reward by rules": ("reward.custom_reward_function.path", "pkg://gmpo_verl.rewards.math_reward"),
    "a response cut off scores 0": ("reward.reward_kwargs.truncated_score", 0.0),
    "20 passes over the prompts": ("trainer.total_epochs", 20),
    "as many rounds as they give": ("trainer.total_training_steps", None),
    "save every 100 rounds": ("trainer.save_freq", 100),
    "evaluate every 100 rounds": ("trainer.test_freq", 100),
    "evaluate before training": ("trainer.val_before_train", True),
    "evaluation: 16 answers": (f"{ROLLOUT}.val_kwargs.n", 16),
    "evaluation: sampled": (f"{ROLLOUT}.val_kwargs.do_sample", True),
    "evaluation: temperature 0.6": (f"{ROLLOUT}.val_kwargs.temperature", 0.6),
    "evaluation: top-p 0.95": (f"{ROLLOUT}.val_kwargs.top_p", 0.95),
    "8 GPUs": ("trainer.n_gpus_per_node", 8),
    "one node": ("trainer.nnodes", 1),
    "gradient checkpointing": ("actor_rollout_ref.model.enable_gradient_checkpointing", True),
    "bf16 in training": (f"{ACTOR}.fsdp_config.dtype", "bfloat16"),
    "bf16 in rollouts": (f"{ROLLOUT}.dtype", "bfloat16"),
    "prefix caching": (f"{ROLLOUT}.enable_prefix_caching", True),
    "vLLM sleeps while the model trains": (f"{ROLLOUT}.free_cache_engine", True),
}


@pytest.fixture(scope="module")
def composed():
    return compose(["recipe=qwen2_5_math_7b"])


@pytest.mark.parametrize("field", THE_RUN)
def test_the_7b_recipe_is_the_official_run_in(field, composed):
    option, value = THE_RUN[field]
    found = OmegaConf.select(composed, option, throw_on_missing=True)
    assert (OmegaConf.to_container(found) if OmegaConf.is_config(found) else found) == value


def test_a_round_is_1024_responses_in_8_optimizer_steps_of_128(composed):
    actor, rollout, prompts = composed.actor_rollout_ref.actor, composed.actor_rollout_ref.rollout, 128
    assert prompts * rollout.n == 1024
    assert prompts // actor.ppo_mini_batch_size * actor.ppo_epochs == 8
    assert actor.ppo_mini_batch_size * rollout.n == 128


def test_the_five_benchmarks_of_the_table_are_validated(composed):
    names = ["aime24", "amc", "math500", "minerva", "olympiad_bench"]
    assert list(composed.data.val_files) == [f"data/evaluation_suite/{name}.parquet" for name in names]


@pytest.mark.parametrize(
    ("recipe", "differs"),
    [
        ("qwen2_5_math_1_5b", {"actor_rollout_ref.model.path"}),
        ("r1_distill_qwen_7b", {"actor_rollout_ref.model.path", "data.max_response_length"}),
    ],
)
def test_the_other_language_models_run_as_the_7b_but_for(recipe, differs, composed):
    other = compose([f"recipe={recipe}"])
    options = {option for option, _ in THE_RUN.values()}
    assert {option for option in options if OmegaConf.select(other, option) != OmegaConf.select(composed, option)} == (
        differs
    )
    assert other.data.val_files == composed.data.val_files
