"""The shipped recipes and algorithms."""

import math
from dataclasses import asdict, replace

import pytest
from verl.utils.config import omega_conf_to_dataclass

from gmpo_verl.algorithms.policy_loss import objective_of
from gmpo_verl.algorithms.power_mean import Objective
from gmpo_verl.config.compose import compose, group_options
from gmpo_verl.data.arithmetic import ArithmeticTask

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


def test_the_groups_list_what_is_shipped_and_nothing_of_verls():
    assert group_options("algorithm") == sorted([*FAMILY, "gspo"])
    assert group_options("recipe") == ["arithmetic"]
    assert group_options("hardware") == ["cpu", "gpu"]
