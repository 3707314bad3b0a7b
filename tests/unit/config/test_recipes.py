"""The shipped recipes and algorithms."""

import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from verl.utils.config import omega_conf_to_dataclass

from gmpo_verl.algorithms.policy_loss import objective_of
from gmpo_verl.algorithms.power_mean import Objective
from gmpo_verl.config.compose import compose, group_options
from gmpo_verl.data.arithmetic import ArithmeticTask
from gmpo_verl.data.arithmetic.problems import demonstration
from gmpo_verl.data.arithmetic.settings import BOX_OPEN
from gmpo_verl.data.countdown import CountdownTask
from gmpo_verl.data.sets import SETS
from gmpo_verl.trainer.preflight import check, devices, resources

E04 = math.exp(0.4)
# algorithm: the window of ratios, and what else the objective has
FAMILY = {
    "gmpo": ((1 / E04, E04), {}),
    "grpo": ((0.8, 1.2), {"mean_exponent": 1.0}),
    "grpo_wide_clip": ((0.67, 1.49), {"mean_exponent": 1.0}),
    "dr_grpo": ((0.8, 1.2), {"mean_exponent": 1.0}),
    "hmpo": ((1 / E04, E04), {"mean_exponent": -1.0}),
    "power_mean": ((1 / E04, E04), {"mean_exponent": 2.0}),
    "gmpo_seq_clip": ((1 / E04, E04), {"clip_level": "sequence"}),
    "gmpo_no_clip": ((1 / E04, E04), {"clip_level": "none"}),
    "gmpo_no_length_norm": ((1 / E04, E04), {"length_norm": False}),
}
# recipes of embedded tasks
EMBEDDED = ("arithmetic", "arithmetic_steps", "countdown")
# recipe: its model
REAL_MODELS = {
    "qwen2_5_math_1_5b": "Qwen/Qwen2.5-Math-1.5B",
    "qwen2_5_math_7b": "Qwen/Qwen2.5-Math-7B",
    "r1_distill_qwen_7b": "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
    "qwen2_5_vl_7b_geometry3k": "Qwen/Qwen2.5-VL-7B-Instruct",
    "qwen3_30b_a3b": "Qwen/Qwen3-30B-A3B",
}


@pytest.mark.parametrize("name", FAMILY)
def test_each_algorithm_is_the_member_of_the_family_that_it_says(name):
    (low, high), options = FAMILY[name]
    actor = omega_conf_to_dataclass(compose([f"algorithm={name}"]).actor_rollout_ref.actor)
    if name == "power_mean":
        actor.policy_loss.current_round = 1
    found = objective_of(actor)
    assert (math.exp(-found.clip_low), math.exp(found.clip_high)) == pytest.approx((low, high), rel=1e-12)
    assert replace(found, clip_low=0.4, clip_high=0.4) == Objective(**options)


def test_dr_grpo_divides_by_the_longest_response_and_not_by_the_standard_deviation():
    config = compose(["algorithm=dr_grpo", "data.max_response_length=77"])
    assert config.actor_rollout_ref.actor.loss_scale_factor == 77
    assert config.actor_rollout_ref.actor.loss_agg_mode == "seq-mean-token-sum-norm"
    assert config.algorithm.norm_adv_by_std_in_grpo is False


def test_gspo_is_verls_own_loss():
    actor = compose(["algorithm=gspo"]).actor_rollout_ref.actor
    assert actor.policy_loss.loss_mode == "gspo"
    assert (actor.clip_ratio_low, actor.clip_ratio_high) == (3e-4, 4e-4)


def test_the_power_mean_ends_at_minus_two_in_the_last_round():
    loss = compose(["algorithm=power_mean", "trainer.total_training_steps=123"]).actor_rollout_ref.actor.policy_loss
    assert (loss.mean_exponent, loss.mean_exponent_end, loss.mean_exponent_rounds) == (2.0, -2.0, 123)


def test_the_arithmetic_recipe_shows_every_option_of_the_task_at_its_default():
    assert asdict(ArithmeticTask()) == dict(compose([]).arithmetic)


def test_the_countdown_recipe_shows_every_option_of_the_task_at_its_default():
    assert asdict(CountdownTask()) == dict(compose(["recipe=countdown"]).countdown)


def test_the_longer_form_of_the_embedded_job_has_responses_of_30_to_80_tokens():
    config = compose(["recipe=arithmetic_steps"])
    task = ArithmeticTask(**config.arithmetic)
    train, _ = task.split()
    shortest = min(len(demonstration(problem, task.worked_steps)) for problem in train) - len(BOX_OPEN) + 2
    assert 30 <= shortest <= task.response_tokens <= config.data.max_response_length <= 80


def test_the_groups_list_what_is_shipped_and_nothing_of_verls():
    assert group_options("algorithm") == sorted([*FAMILY, "gspo"])
    assert group_options("recipe") == sorted([*EMBEDDED, *REAL_MODELS])
    assert group_options("hardware") == ["cpu", "gpu"]


@pytest.mark.parametrize("name", REAL_MODELS)
def test_a_recipe_of_a_real_model_runs_gmpo_on_eight_gpus(name):
    config = compose([f"recipe={name}"])
    assert config.actor_rollout_ref.model.path == REAL_MODELS[name]
    assert (config.trainer.device, config.trainer.nnodes, config.trainer.n_gpus_per_node) == ("cuda", 1, 8)
    assert config.actor_rollout_ref.actor.policy_loss.loss_mode == "gmpo"
    assert config.run_dir.endswith(f"outputs/{name}/gmpo-seed0")
    assert "arithmetic" not in config


@pytest.mark.parametrize("name", [*EMBEDDED, *REAL_MODELS])
def test_a_recipe_passes_everything_that_needs_no_model_no_data_and_no_gpu(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resources, "free_memory", lambda: 64e9)
    monkeypatch.setattr(devices, "gpu_count", lambda: 0)
    assert check(compose([f"recipe={name}", "dry_run=true"])) == []


@pytest.mark.parametrize("algorithm", [*FAMILY, "gspo"])
def test_every_algorithm_can_be_trained_in_the_7b_set_up(algorithm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(devices, "gpu_count", lambda: 0)
    arguments = ["recipe=qwen2_5_math_7b", f"algorithm={algorithm}", "trainer.total_training_steps=500"]
    assert check(compose([*arguments, "dry_run=true"])) == []


@pytest.mark.parametrize("name", REAL_MODELS)
def test_the_command_line_wins_over_a_recipe(name):
    config = compose([f"recipe={name}", "hardware=cpu", "algorithm=grpo", "data.train_batch_size=8"])
    assert config.trainer.device == "cpu"
    assert config.data.train_batch_size == 8
    assert config.actor_rollout_ref.actor.policy_loss.mean_exponent == 1.0


@pytest.mark.parametrize("name", REAL_MODELS)
def test_the_files_of_a_recipe_are_those_that_prepare_data_writes(name):
    data = compose([f"recipe={name}"]).data
    for key, train in ((data.train_files, True), (data.val_files, False)):
        for file in [key] if isinstance(key, str) else key:
            data_set = SETS[Path(file).parent.name]
            written = data_set.files if data_set.benchmarks else ("train", "validation", "test")
            assert Path(file).parts[0] == "data" and Path(file).stem in written
            assert (Path(file).stem == "train") == train
