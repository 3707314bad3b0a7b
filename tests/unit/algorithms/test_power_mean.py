"""The power mean of ratios: against a naive reference, and as a mean."""

import math

import pytest
import torch
from batches import FAMILY, actor_config, full, loss_and_gradient, random_batch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import batch_loss

from gmpo_verl.algorithms.power_mean import (
    MAX_ABS_MEAN_LOG_RATIO,
    Objective,
    log_power_mean,
    masked_log_ratio,
    response_losses,
)

EXPONENTS = st.floats(-4, 4, allow_subnormal=False)
members = pytest.mark.parametrize("objective", FAMILY.values(), ids=FAMILY.keys())


@settings(max_examples=150)
@given(
    seed=st.integers(0, 10_000),
    member=st.sampled_from(list(FAMILY.values())),
    low=st.floats(0, 2),
    high=st.floats(0, 2),
)
def test_loss_and_gradient_equal_the_naive_reference_for_any_window(seed, member, low, high):
    objective = Objective(low, high, member.mean_exponent, member.clip_level, member.length_norm)
    batch = random_batch(seed)
    loss, gradient = loss_and_gradient(batch, actor_config(objective))
    log_prob = batch["log_prob"].clone().requires_grad_()
    expected = batch_loss(log_prob, batch["old"], batch["advantages_B"], batch["mask"], objective)
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-10, atol=1e-12)
    if expected.requires_grad:
        expected.backward()
        torch.testing.assert_close(gradient, log_prob.grad, rtol=1e-9, atol=1e-12)


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), lower=EXPONENTS, higher=EXPONENTS)
def test_the_mean_grows_with_its_exponent_and_stays_between_the_extremes(seed, lower, higher):
    lower, higher = sorted((lower, higher))
    batch = full(random_batch(seed))
    x, mask = batch["log_prob"], batch["mask"]
    low, high = log_power_mean(x, mask, lower), log_power_mean(x, mask, higher)
    assert (low <= high + 1e-12).all()
    assert (x.amin(-1) - 1e-12 <= low).all() and (high <= x.amax(-1) + 1e-12).all()


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), exponent=st.sampled_from([1e-6, -1e-6, 1e-9]))
def test_exponent_near_zero_goes_over_into_the_geometric_mean(seed, exponent):
    batch = random_batch(seed)
    for dtype, tolerance in ((torch.float64, 1e-5), (torch.float32, 2e-5)):
        x = batch["log_prob"].to(dtype)
        near, at = (log_power_mean(x, batch["mask"], p) for p in (exponent, 0.0))
        torch.testing.assert_close(near, at, rtol=tolerance, atol=tolerance)


@members
def test_at_the_old_policy_every_member_has_the_policy_gradient(objective):
    batch = full(random_batch(0))
    batch["log_prob"] = batch["old"].clone()
    loss, gradient = loss_and_gradient(batch, actor_config(objective))
    rows, tokens = batch["old"].shape
    divisor = tokens if objective.length_norm else 1
    torch.testing.assert_close(loss, -batch["advantages_B"].mean())
    torch.testing.assert_close(gradient, (-batch["advantages_B"] / rows / divisor)[:, None].expand(rows, tokens))


@members
@pytest.mark.parametrize("log_ratio", [100.0, -100.0])
@pytest.mark.parametrize("advantage", [1.0, -1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_huge_log_ratios_stay_finite(objective, log_ratio, advantage, dtype):
    log_probs = torch.full((1, 3), log_ratio, dtype=dtype, requires_grad=True)
    mask = torch.ones(1, 3, dtype=torch.bool)
    log_ratio = masked_log_ratio(log_probs, torch.zeros(1, 3), mask)
    loss = response_losses(log_ratio, mask, torch.tensor([advantage]), objective)
    loss.sum().backward()
    assert loss.isfinite().all() and loss.abs().item() <= math.exp(MAX_ABS_MEAN_LOG_RATIO) * 1.001
    assert log_probs.grad.isfinite().all()


def test_beyond_the_clamp_there_is_no_gradient():
    log_probs = torch.tensor([[100.0] * 3, [-100.0] * 3], requires_grad=True)
    mask = torch.ones(2, 3, dtype=torch.bool)
    log_ratio = masked_log_ratio(log_probs, torch.zeros(2, 3), mask)
    losses = response_losses(log_ratio, mask, torch.tensor([-1.0, 1.0]), Objective())
    losses.sum().backward()
    limit = MAX_ABS_MEAN_LOG_RATIO
    torch.testing.assert_close(losses.detach(), torch.tensor([math.exp(limit), -math.exp(-limit)]))
    assert torch.equal(log_probs.grad, torch.zeros(2, 3))


@members
@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_padding_may_hold_anything(objective, poison):
    batch = random_batch(5)
    loss, gradient = loss_and_gradient(batch, actor_config(objective))
    poisoned = batch | {name: torch.where(batch["mask"], batch[name], poison) for name in ("log_prob", "old")}
    poisoned_loss, poisoned_gradient = loss_and_gradient(poisoned, actor_config(objective))
    assert torch.equal(loss, poisoned_loss)
    assert torch.equal(gradient, poisoned_gradient)


@members
def test_an_empty_response_is_zero(objective):
    batch = random_batch(6)
    batch["mask"][2] = False
    log_ratio = masked_log_ratio(batch["log_prob"], batch["old"], batch["mask"])
    losses = response_losses(log_ratio, batch["mask"], batch["advantages_B"], objective)
    assert losses[2] == 0
    assert torch.equal(loss_and_gradient(batch, actor_config(objective))[1][2], torch.zeros(7, dtype=torch.float64))


@members
def test_a_micro_batch_without_any_token_is_zero(objective):
    batch = {name: value[:, :0] if value.ndim == 2 else value for name, value in random_batch(6).items()}
    loss, gradient = loss_and_gradient(batch, actor_config(objective))
    assert loss == 0 and gradient.shape == (6, 0)


@members
def test_permuting_responses_permutes_gradients(objective):
    batch, order = random_batch(7), torch.tensor([3, 0, 5, 1, 4, 2])
    loss, gradient = loss_and_gradient(batch, actor_config(objective))
    permuted_loss, permuted = loss_and_gradient({k: v[order] for k, v in batch.items()}, actor_config(objective))
    torch.testing.assert_close(permuted_loss, loss, rtol=1e-14, atol=0)
    assert torch.equal(permuted, gradient[order])


@members
def test_bf16_inputs_are_summed_in_float32(objective):
    batch = full(random_batch(2, rows=2, tokens=1024, spread=0.02))
    batch["advantages_B"][:] = torch.tensor([1.0, 0.5])
    low = batch | {name: batch[name].bfloat16() for name in ("log_prob", "old")}
    rounded = batch | {name: low[name].double() for name in ("log_prob", "old")}
    loss, _ = loss_and_gradient(low, actor_config(objective))
    expected, _ = loss_and_gradient(rounded, actor_config(objective))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(
    "options", [{"clip_level": "sequence"}, {"length_norm": False}, {"clip_level": "sequence", "length_norm": False}]
)
def test_the_sequence_clip_and_the_product_are_for_the_geometric_mean_alone(options):
    with pytest.raises(ValueError, match="mean_exponent=0"):
        Objective(mean_exponent=1.0, **options)


def test_an_unknown_clip_level_is_refused():
    with pytest.raises(ValueError, match="clip_level=tokens"):
        Objective(clip_level="tokens")
