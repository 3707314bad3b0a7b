"""Equality with the official code's formula, which is right at one response a batch: the paper's family on 1,000."""

import pytest
import torch

from gmpo_verl.algorithms.power_mean import Objective, masked_log_ratio, response_losses

EPS = 0.4


def gmpo(d, advantage):
    return clip(d, advantage).mean().exp()


def no_clip(d, advantage):
    return d.mean().exp()


def sequence_clip(d, advantage):
    return (clip(d.sum(), advantage) / len(d)).exp()


def no_length_norm(d, advantage):
    return clip(d, advantage).sum().exp()


def harmonic(d, advantage):
    return len(d) / (1 / clip(d, advantage).exp()).sum()


def clip(d, advantage):
    bound = torch.tensor(EPS, dtype=d.dtype)
    return torch.minimum(d, bound) if advantage > 0 else torch.maximum(d, -bound)


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        (gmpo, {}),
        (no_clip, {"clip_level": "none"}),
        (sequence_clip, {"clip_level": "sequence"}),
        (no_length_norm, {"length_norm": False}),
        (harmonic, {"mean_exponent": -1.0}),
    ],
)
def test_a_thousand_responses_agree_with_the_official_formula(formula, options):
    generator = torch.Generator().manual_seed(0)
    objective = Objective(EPS, EPS, **options)
    responses, tokens = 1000, 24
    lengths = torch.randint(1, tokens + 1, (responses,), generator=generator)
    mask = torch.arange(tokens) < lengths[:, None]
    old = -3 * torch.rand(responses, tokens, generator=generator, dtype=torch.float64)
    log_probs = old + 0.5 * torch.randn(responses, tokens, generator=generator, dtype=torch.float64)
    log_probs.requires_grad_()
    advantages = torch.randn(responses, generator=generator, dtype=torch.float64)

    ours = response_losses(masked_log_ratio(log_probs, old, mask), mask, advantages, objective)
    gradient = torch.autograd.grad(ours.sum(), log_probs)[0]
    official = torch.stack([
        -advantage * formula(new[:length] - before[:length], advantage)
        for new, before, length, advantage in zip(log_probs, old, lengths, advantages, strict=True)
    ])  # fmt: skip
    expected = torch.autograd.grad(official.sum(), log_probs)[0]
    torch.testing.assert_close(ours, official, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient, expected, rtol=1e-11, atol=1e-13)
