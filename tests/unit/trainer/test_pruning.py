"""Which responses leave the passes over the model, and when none may."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf, open_dict
from transformers import Qwen2Config

from gmpo_verl.trainer.pruning import kept_rows, why_not_exact

ACTOR = "actor_rollout_ref.actor"


@st.composite
def rounds(draw: st.DrawFn) -> tuple[np.ndarray, list[str], np.ndarray, int]:
    multiple = draw(st.sampled_from([1, 2, 4, 8]))
    rows = multiple * draw(st.integers(1, 6))
    groups = [f"prompt{draw(st.integers(0, 5))}" for _ in range(rows)]
    has_signal = {group: draw(st.booleans()) for group in groups}
    advantages = np.array([draw(st.sampled_from([0.0, 0.5, -1.0])) if has_signal[group] else 0.0 for group in groups])
    lengths = np.array(draw(st.lists(st.integers(0, 9), min_size=rows, max_size=rows)))
    return advantages, groups, lengths, multiple


@settings(max_examples=200)
@given(rounds())
def test_whole_groups_with_an_advantage_stay_and_the_shortest_others_fill_up(round_):
    advantages, groups, lengths, multiple = round_
    kept = kept_rows(advantages, groups, lengths, multiple)
    needed = {i for i, group in enumerate(groups) if any(advantages[j] for j, g in enumerate(groups) if g == group)}
    assert kept == sorted(set(kept)) and needed <= set(kept)
    assert len(kept) % multiple == 0 and len(kept) >= multiple
    assert len(kept) - len(needed) < multiple or not needed
    fillers, left = set(kept) - needed, set(range(len(groups))) - set(kept)
    assert max((lengths[i] for i in fillers), default=0) <= min((lengths[i] for i in left), default=99)


def test_a_round_without_any_advantage_keeps_enough_to_step():
    assert kept_rows(np.zeros(8), ["a"] * 4 + ["b"] * 4, np.array([5, 4, 3, 2, 9, 9, 1, 9]), 4) == [1, 2, 3, 6]


def test_gmpo_may_leave_responses_out(composed):
    assert why_not_exact(composed) is None
    assert why_not_exact(composed, Qwen2Config()) is None


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (f"{ACTOR}.use_kl_loss", True),
        (f"{ACTOR}.entropy_coeff", 0.01),
        ("algorithm.use_kl_in_reward", True),
        ("algorithm.adv_estimator", "reinforce_plus_plus_baseline"),
        ("algorithm.rollout_correction.rollout_is", "token"),
        ("algorithm.rollout_correction.rollout_rs", "seq_mean_k1"),
        (f"{ACTOR}.policy_loss.loss_mode", "geo_mean"),
        (f"{ACTOR}.loss_agg_mode", "token-mean"),
        ("distillation.enabled", True),
        ("critic.enable", True),
    ],
)
def test_what_every_response_takes_part_in_keeps_them_all(composed, option, value):
    config = composed.copy()
    with open_dict(config):
        OmegaConf.update(config, option, value, force_add=True)
    assert why_not_exact(config) == option


def test_a_models_dropout_keeps_them_all(composed):
    assert why_not_exact(composed, Qwen2Config(attention_dropout=0.1)) == "the model's dropout"
