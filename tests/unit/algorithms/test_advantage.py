"""The group-normalised advantage."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage

from gmpo_verl.algorithms.advantage import gmpo_advantage


def estimate(rewards: list[float], index: list[str], tokens: int = 3, **config: object) -> torch.Tensor:
    token_level = torch.zeros(len(rewards), tokens)
    token_level[:, -1] = torch.tensor(rewards)
    advantages, returns = gmpo_advantage(
        token_level, torch.ones(len(rewards), tokens), np.array(index, dtype=object), config
    )
    assert torch.equal(advantages, returns)
    assert torch.equal(advantages, advantages[:, :1].expand(-1, tokens))
    return advantages[:, 0]


@settings(max_examples=50)
@given(
    groups=st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=6), min_size=1, max_size=5),
    order=st.randoms(),
    by_std=st.booleans(),
)
def test_equals_verls_grpo_estimator_for_interleaved_groups_of_any_size(groups, order, by_std):
    rows = [(f"uid{g}", reward) for g, rewards in enumerate(groups) for reward in rewards]
    order.shuffle(rows)
    index, rewards = [uid for uid, _ in rows], [reward for _, reward in rows]
    ours = estimate(rewards, index, norm_adv_by_std_in_grpo=by_std)
    expected, _ = compute_grpo_outcome_advantage(
        torch.tensor(rewards)[:, None],
        torch.ones(len(rows), 1),
        np.array(index, dtype=object),
        norm_adv_by_std_in_grpo=by_std,
    )
    torch.testing.assert_close(ours, expected[:, 0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("reward", [0.1, 1 / 3, 1.0, 1e-20, 12345.678])
def test_equal_rewards_give_exactly_zero(reward):
    assert torch.equal(estimate([reward] * 7, ["a"] * 7), torch.zeros(7))


def test_a_group_of_one_gives_zero():
    assert torch.equal(estimate([1.0, 0.0, 1.0], ["a", "b", "b"])[:1], torch.zeros(1))


def test_padding_is_zero():
    token_level = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    mask = torch.tensor([[1, 1], [1, 0]])
    advantages, _ = gmpo_advantage(token_level, mask, np.array(["a", "a"], dtype=object))
    assert advantages[1, 1] == 0
    assert advantages[0, 0] > 0 > advantages[1, 0]
