"""The `gmpo` loss against a naive reference, and the properties that make it right in a distributed run."""

import itertools
import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import batch_loss
from verl.trainer.ppo.core_algos import get_policy_loss_fn
from verl.workers.config import FSDPActorConfig

from gmpo_verl.algorithms.policy_loss import gmpo_policy_loss
from gmpo_verl.algorithms.power_mean import MAX_ABS_MEAN_LOG_RATIO, log_power_mean

EXPONENTS = (0.0, 1.0, -1.0, 0.5, 2.0)


def actor_config(low: float = 0.4, high: float = 0.4, exponent: float = 0.0, **info: object) -> SimpleNamespace:
    return SimpleNamespace(
        clip_ratio_low=low,
        clip_ratio_high=high,
        policy_loss=SimpleNamespace(mean_exponent=exponent),
        global_batch_info=info,
    )


def random_batch(seed: int, rows: int = 6, tokens: int = 7, spread: float = 0.6) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    old = -torch.rand(rows, tokens, generator=generator, dtype=torch.float64) * 3
    log_prob = old + spread * torch.randn(rows, tokens, generator=generator, dtype=torch.float64)
    lengths = torch.randint(0, tokens + 1, (rows,), generator=generator)
    mask = torch.arange(tokens) < lengths[:, None]
    advantages_B = torch.randn(rows, generator=generator, dtype=torch.float64)
    advantages_B[0] = 0.0
    return {"old": old, "log_prob": log_prob, "mask": mask, "advantages_B": advantages_B}


def loss_and_gradient(batch: dict[str, torch.Tensor], config: SimpleNamespace) -> tuple[torch.Tensor, torch.Tensor]:
    log_prob = batch["log_prob"].clone().requires_grad_()
    advantages = batch["advantages_B"][:, None] * batch["mask"]
    loss, _ = gmpo_policy_loss(batch["old"], log_prob, advantages, batch["mask"], config=config)
    loss.backward()
    return loss.detach(), log_prob.grad


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), low=st.floats(0, 2), high=st.floats(0, 2), exponent=st.sampled_from(EXPONENTS))
def test_loss_and_gradient_equal_the_naive_reference(seed, low, high, exponent):
    batch = random_batch(seed)
    loss, gradient = loss_and_gradient(batch, actor_config(low, high, exponent))
    log_prob = batch["log_prob"].clone().requires_grad_()
    expected = batch_loss(log_prob, batch["old"], batch["advantages_B"], batch["mask"], low, high, exponent)
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-10, atol=1e-12)
    if expected.requires_grad:
        expected.backward()
        torch.testing.assert_close(gradient, log_prob.grad, rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), ranks=st.sampled_from([1, 2, 4]), cuts=st.lists(st.integers(0, 8), max_size=5))
def test_gradient_does_not_depend_on_micro_batches_or_ranks(seed, ranks, cuts):
    batch = random_batch(seed, rows=8)
    whole = loss_and_gradient(batch, actor_config(dp_size=1, global_batch_size=8))[1]
    parts = torch.zeros_like(whole)
    bounds = sorted({0, 8, *cuts})
    for start, end in itertools.pairwise(bounds):
        micro = {name: value[start:end] for name, value in batch.items()}
        gradient = loss_and_gradient(micro, actor_config(dp_size=ranks, global_batch_size=8))[1]
        parts[start:end] = gradient / ranks  # FSDP averages over ranks
    torch.testing.assert_close(parts, whole, rtol=1e-10, atol=1e-14)


def test_verl_geo_mean_depends_on_the_cut_and_ours_does_not():
    batch = random_batch(3, rows=8)
    batch["mask"][:] = True
    for name, by_halves in (("geo_mean", 2.0), ("gmpo", 1.0)):
        config = FSDPActorConfig(
            strategy="fsdp2", rollout_n=1, ppo_micro_batch_size_per_gpu=1, clip_ratio_low=0.4, clip_ratio_high=0.4
        )
        config.global_batch_info.update(dp_size=1, global_batch_size=8)

        def gradient(rows: slice, name: str = name, config: FSDPActorConfig = config) -> torch.Tensor:
            log_prob = batch["log_prob"][rows].clone().requires_grad_()
            advantages = batch["advantages_B"][rows, None] * batch["mask"][rows]
            loss, _ = get_policy_loss_fn(name)(
                batch["old"][rows], log_prob, advantages, batch["mask"][rows], "seq-mean-token-mean", config
            )
            return torch.autograd.grad(loss, log_prob)[0]

        whole = gradient(slice(0, 8))
        halves = torch.cat([gradient(slice(0, 4)), gradient(slice(4, 8))])
        torch.testing.assert_close(halves, by_halves * whole, rtol=1e-6, atol=1e-9)


def test_exponent_one_is_grpo_with_the_same_window():
    batch = random_batch(11, rows=16)
    config = FSDPActorConfig(
        strategy="fsdp2",
        rollout_n=1,
        ppo_micro_batch_size_per_gpu=1,
        clip_ratio_low=0.2,
        clip_ratio_high=0.2,
        clip_ratio_c=1e9,
    )
    advantages = batch["advantages_B"][:, None] * batch["mask"]
    grpo, _ = get_policy_loss_fn("vanilla")(
        batch["old"], batch["log_prob"], advantages, batch["mask"], "seq-mean-token-mean", config
    )
    ours, _ = loss_and_gradient(batch, actor_config(-math.log(0.8), math.log(1.2), 1.0))
    torch.testing.assert_close(ours, grpo, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_padding_may_hold_anything(poison):
    batch = random_batch(5)
    loss, gradient = loss_and_gradient(batch, actor_config())
    poisoned = {**batch}
    for name in ("log_prob", "old"):
        poisoned[name] = torch.where(batch["mask"], batch[name], poison)
    poisoned_loss, poisoned_gradient = loss_and_gradient(poisoned, actor_config())
    assert torch.equal(loss, poisoned_loss)
    assert torch.equal(gradient, poisoned_gradient)


def test_huge_log_ratios_stay_finite_and_have_no_gradient_beyond_the_clamp():
    old = torch.zeros(2, 3)
    log_prob = torch.tensor([[100.0] * 3, [-100.0] * 3], requires_grad=True)
    advantages = torch.tensor([[-1.0], [1.0]]).expand(2, 3)
    loss, _ = gmpo_policy_loss(old, log_prob, advantages, torch.ones(2, 3), config=actor_config())
    loss.backward()
    limit = MAX_ABS_MEAN_LOG_RATIO
    assert loss.item() == pytest.approx((math.exp(limit) - math.exp(-limit)) / 2, rel=1e-6)
    assert torch.equal(log_prob.grad, torch.zeros(2, 3))


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_exponent_near_zero_goes_over_into_the_geometric_mean(seed):
    batch = random_batch(seed)
    for dtype, tolerance in ((torch.float64, 1e-5), (torch.float32, 2e-5)):
        x = batch["log_prob"].to(dtype)
        near, at = (log_power_mean(x, batch["mask"], exponent) for exponent in (1e-6, 0.0))
        torch.testing.assert_close(near, at, rtol=tolerance, atol=tolerance)


def test_bf16_inputs_are_summed_in_float32():
    batch = {name: value[:1] for name, value in random_batch(2, rows=1, tokens=4096, spread=0.05).items()}
    batch["mask"][:] = True
    batch["advantages_B"][:] = 1.0
    low_precision = {**batch, "log_prob": batch["log_prob"].bfloat16(), "old": batch["old"].bfloat16()}
    rounded = {**batch, "log_prob": low_precision["log_prob"].double(), "old": low_precision["old"].double()}
    loss, _ = loss_and_gradient(low_precision, actor_config())
    expected, _ = loss_and_gradient(rounded, actor_config())
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_a_token_varying_advantage_is_refused():
    batch = random_batch(1)
    batch["mask"][:] = True
    with pytest.raises(ValueError, match=r"algorithm\.adv_estimator"):
        gmpo_policy_loss(batch["old"], batch["log_prob"], batch["log_prob"], batch["mask"], config=actor_config())


def test_rollout_weights_enter_as_their_geometric_mean_and_one_zero_makes_zero():
    batch = random_batch(8, rows=2)
    batch["mask"][:] = True
    advantages = batch["advantages_B"][:, None].expand_as(batch["log_prob"]).clone()
    advantages[:] = 1.0
    weights = torch.rand(2, 7, dtype=torch.float64) + 0.5
    weights[1, 3] = 0.0
    weighted, _ = gmpo_policy_loss(
        batch["old"], batch["log_prob"], advantages, batch["mask"], config=actor_config(), rollout_is_weights=weights
    )
    first, _ = gmpo_policy_loss(
        batch["old"][:1], batch["log_prob"][:1], advantages[:1], batch["mask"][:1], config=actor_config()
    )
    assert weighted.item() == pytest.approx(first.item() * weights[0].log().mean().exp().item() / 2, rel=1e-9)


def test_clip_fractions_count_binding_clips_over_response_tokens():
    old = torch.zeros(2, 4)
    log_prob = torch.tensor([[0.5, -0.5, 0.1, 9.0], [0.5, -0.5, -0.6, 0.0]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    advantages = torch.tensor([[1.0], [-1.0]]) * mask
    _, metrics = gmpo_policy_loss(old, log_prob, advantages, mask, config=actor_config())
    assert metrics["actor/pg_clipfrac"] == pytest.approx(1 / 7)
    assert metrics["actor/pg_clipfrac_lower"] == pytest.approx(2 / 7)


def test_the_papers_window_where_the_configuration_has_none():
    batch = random_batch(4)
    with_paper, _ = loss_and_gradient(batch, actor_config(0.4, 0.4))
    without = SimpleNamespace(clip_ratio_low=None, clip_ratio_high=None)
    assert loss_and_gradient(batch, without)[0] == with_paper
