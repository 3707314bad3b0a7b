"""The `gmpo` loss as verl calls it: the properties that make it right in a distributed run."""

import itertools
import math
from types import SimpleNamespace

import pytest
import torch
from batches import FAMILY, actor_config, full, loss_and_gradient, random_batch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import batch_loss
from verl.trainer.ppo.core_algos import get_policy_loss_fn
from verl.workers.config import FSDPActorConfig, PolicyLossConfig

from gmpo_verl.algorithms.policy_loss import gmpo_policy_loss, objective_of
from gmpo_verl.algorithms.power_mean import Objective
from gmpo_verl.config.schema import GMPOPolicyLossConfig

GRPO = Objective(-math.log(0.8), math.log(1.2), mean_exponent=1.0)


def verl_config(**options: object) -> FSDPActorConfig:
    return FSDPActorConfig(strategy="fsdp2", rollout_n=1, ppo_micro_batch_size_per_gpu=1, **options)


@settings(max_examples=80)
@given(
    seed=st.integers(0, 10_000),
    objective=st.sampled_from(list(FAMILY.values())),
    ranks=st.sampled_from([1, 2, 4]),
    cuts=st.lists(st.integers(0, 8), max_size=5),
    is_dr_grpo=st.booleans(),
)
def test_gradient_does_not_depend_on_micro_batches_or_ranks(seed, objective, ranks, cuts, is_dr_grpo):
    mode, scale = ("seq-mean-token-sum-norm", 7) if is_dr_grpo else ("seq-mean-token-mean", None)
    batch = random_batch(seed, rows=8)
    one = actor_config(objective, dp_size=1, global_batch_size=8, loss_scale_factor=scale)
    whole = loss_and_gradient(batch, one, mode)[1]
    parts = torch.zeros_like(whole)
    for start, end in itertools.pairwise(sorted({0, 8, *cuts})):
        config = actor_config(objective, dp_size=ranks, global_batch_size=8, loss_scale_factor=scale)
        micro = {name: value[start:end] for name, value in batch.items()}
        parts[start:end] = loss_and_gradient(micro, config, mode)[1] / ranks  # FSDP averages over ranks
    torch.testing.assert_close(parts, whole, rtol=1e-10, atol=1e-14)


def test_padding_to_another_width_changes_nothing():
    batch = random_batch(9)
    wider = {name: torch.nn.functional.pad(value, (0, 5)) for name, value in batch.items() if value.ndim == 2}
    loss, gradient = loss_and_gradient(batch, actor_config())
    wide_loss, wide_gradient = loss_and_gradient(batch | wider, actor_config())
    torch.testing.assert_close(wide_loss, loss, rtol=1e-14, atol=0)
    torch.testing.assert_close(wide_gradient[:, :7], gradient, rtol=1e-14, atol=0)


def test_verl_geo_mean_depends_on_the_cut_and_ours_does_not():
    batch = full(random_batch(3, rows=8))
    config = verl_config(clip_ratio_low=0.4, clip_ratio_high=0.4)
    config.global_batch_info.update(dp_size=1, global_batch_size=8)
    for name, by_halves in (("geo_mean", 2.0), ("gmpo", 1.0)):

        def gradient(rows: slice, name: str = name) -> torch.Tensor:
            log_prob = batch["log_prob"][rows].clone().requires_grad_()
            advantages = batch["advantages_B"][rows, None] * batch["mask"][rows]
            loss, _ = get_policy_loss_fn(name)(
                batch["old"][rows], log_prob, advantages, batch["mask"][rows], "seq-mean-token-mean", config
            )
            return torch.autograd.grad(loss, log_prob)[0]

        whole = gradient(slice(0, 8))
        halves = torch.cat([gradient(slice(0, 4)), gradient(slice(4, 8))])
        torch.testing.assert_close(halves, by_halves * whole, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("scale", [None, 11])
def test_exponent_one_is_verls_grpo_and_with_the_constant_its_dr_grpo(scale):
    mode = "seq-mean-token-mean" if scale is None else "seq-mean-token-sum-norm"
    batch = random_batch(11, rows=16)
    config = verl_config(clip_ratio_low=0.2, clip_ratio_high=0.2, clip_ratio_c=1e9)
    config.global_batch_info.update(loss_scale_factor=scale)
    log_prob = batch["log_prob"].clone().requires_grad_()
    advantages = batch["advantages_B"][:, None] * batch["mask"]
    grpo, _ = get_policy_loss_fn("vanilla")(batch["old"], log_prob, advantages, batch["mask"], mode, config)
    grpo.backward()
    ours, gradient = loss_and_gradient(batch, actor_config(GRPO, loss_scale_factor=scale), mode)
    # verl adds 1e-8 to a length before dividing by it
    torch.testing.assert_close(ours, grpo.detach(), rtol=1e-7, atol=1e-10)
    torch.testing.assert_close(gradient, log_prob.grad, rtol=1e-7, atol=1e-10)


def test_dr_grpo_equals_the_naive_reference():
    batch = random_batch(12)
    config = actor_config(GRPO, loss_scale_factor=7)
    loss, _ = loss_and_gradient(batch, config, "seq-mean-token-sum-norm")
    expected = batch_loss(batch["log_prob"], batch["old"], batch["advantages_B"], batch["mask"], GRPO, scale_factor=7)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)


def test_dr_grpo_without_its_constant_is_refused():
    with pytest.raises(ValueError, match="loss_scale_factor"):
        loss_and_gradient(random_batch(1), actor_config(GRPO), "seq-mean-token-sum-norm")


def test_a_token_varying_advantage_is_refused():
    batch = full(random_batch(1))
    with pytest.raises(ValueError, match=r"algorithm\.adv_estimator"):
        gmpo_policy_loss(batch["old"], batch["log_prob"], batch["log_prob"], batch["mask"], config=actor_config())


def test_the_advantage_on_padding_does_not_count_as_varying():
    batch = random_batch(1)
    constant = batch["advantages_B"][:, None].expand_as(batch["old"])
    loss, _ = gmpo_policy_loss(batch["old"], batch["log_prob"], constant, batch["mask"], config=actor_config())
    assert loss == loss_and_gradient(batch, actor_config())[0]


def test_rollout_weights_of_tokens_enter_as_their_geometric_mean_and_one_zero_makes_zero():
    batch = full(random_batch(8, rows=2))
    batch["advantages_B"][:] = 1.0
    weights = torch.rand(2, 7, dtype=torch.float64) + 0.5
    weights[1, 3] = 0.0
    weighted, gradient = loss_and_gradient(batch, actor_config(), rollout_is_weights=weights)
    first, _ = loss_and_gradient({name: value[:1] for name, value in batch.items()}, actor_config())
    assert weighted.item() == pytest.approx(first.item() * weights[0].log().mean().exp().item() / 2, rel=1e-12)
    assert torch.equal(gradient[1], torch.zeros(7, dtype=torch.float64))


def test_a_rollout_weight_of_the_sequence_multiplies_the_response_and_padding_has_none():
    batch = random_batch(8)
    weights_B = torch.rand(6, dtype=torch.float64) + 0.5
    weights = torch.where(batch["mask"], weights_B[:, None], 0.0)  # verl zeroes them on padding
    weighted, gradient = loss_and_gradient(batch, actor_config(), rollout_is_weights=weights)
    scaled = batch | {"advantages_B": batch["advantages_B"] * weights_B}
    expected, expected_gradient = loss_and_gradient(scaled, actor_config())
    torch.testing.assert_close(weighted, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-12, atol=1e-15)


def test_rejected_tokens_leave_the_length():
    batch = full(random_batch(8))
    batch["mask"][:, 4:] = False
    shorter = {name: value[:, :4] if value.ndim == 2 else value for name, value in batch.items()}
    torch.testing.assert_close(
        loss_and_gradient(batch, actor_config())[0], loss_and_gradient(shorter, actor_config())[0], rtol=1e-14, atol=0
    )


def test_verls_metrics_count_binding_clips_of_both_sides_over_response_tokens():
    old = torch.zeros(2, 4)
    log_prob = torch.tensor([[0.5, -0.5, 0.1, 9.0], [0.5, -0.5, -0.6, 0.0]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    advantages = torch.tensor([[1.0], [-1.0]]) * mask
    _, metrics = gmpo_policy_loss(old, log_prob, advantages, mask, config=actor_config())
    assert metrics["actor/pg_clipfrac"] == pytest.approx(3 / 7)
    assert metrics["actor/ppo_kl"] == pytest.approx(-(0.1 - 0.6) / 7)


def test_the_papers_options_where_the_configuration_has_none():
    assert objective_of(None) == Objective()
    assert objective_of(SimpleNamespace(clip_ratio_low=None, clip_ratio_high=None)) == Objective()
    plain = verl_config(policy_loss=PolicyLossConfig(loss_mode="gmpo"), clip_ratio_low=0.3, clip_ratio_high=0.5)
    assert objective_of(plain) == Objective(clip_low=0.3, clip_high=0.5)


def test_the_exponent_follows_the_round():
    options = GMPOPolicyLossConfig(loss_mode="gmpo", mean_exponent=2.0, mean_exponent_end=-2.0, mean_exponent_rounds=5)
    config = verl_config(policy_loss=options)
    with pytest.raises(ValueError, match="mean_exponent_end"):
        objective_of(config)
    exponents = []
    for current in range(1, 8):
        options.current_round = current
        exponents.append(objective_of(config).mean_exponent)
    assert exponents == [2, 1, 0, -1, -2, -2, -2]
