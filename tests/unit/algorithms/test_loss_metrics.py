"""Metrics of the loss: against loops over tokens, and the same whatever the cut."""

import math

import numpy as np
import pytest
import torch
from batches import FAMILY, random_batch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import clipped

from gmpo_verl.algorithms.loss_metrics import kl_to_reference, response_statistics, update_metrics
from gmpo_verl.algorithms.power_mean import Objective


def statistics(batch: dict[str, torch.Tensor], objective: Objective | None) -> dict[str, np.ndarray]:
    found = response_statistics(batch["log_prob"], batch["old"], batch["mask"], batch["advantages_B"], objective)
    return {name: values.numpy() for name, values in found.items()}


def by_hand(batch: dict[str, torch.Tensor], objective: Objective) -> dict[str, float]:
    log_ratios, seq_ratios, zero, high, low, clamped = [], [], 0, 0, 0, 0
    for row, advantage in enumerate(batch["advantages_B"].tolist()):
        keep = batch["mask"][row]
        tokens = (batch["log_prob"][row] - batch["old"][row])[keep]
        if len(tokens) == 0:
            continue
        log_ratios += tokens.tolist()
        seq_ratios.append(math.exp(sum(tokens.tolist()) / len(tokens)))
        zero += advantage == 0
        sequence = objective.clip_level == "sequence"
        for value in [tokens.sum()] if sequence else list(tokens):
            if objective.clip_level != "none" and clipped(value, advantage, objective) != value:
                weight = len(tokens) if sequence else 1
                high, low = high + weight * (advantage > 0), low + weight * (advantage < 0)
        if not objective.length_norm:
            total = sum(clipped(v, advantage, objective).item() for v in tokens)
            clamped += abs(total) > 20
    return {
        "gmpo/log_ratio_min": min(log_ratios),
        "gmpo/log_ratio_max": max(log_ratios),
        "gmpo/seq_ratio_mean": sum(seq_ratios) / len(seq_ratios),
        "gmpo/seq_ratio_min": min(seq_ratios),
        "gmpo/seq_ratio_max": max(seq_ratios),
        "gmpo/zero_advantage_frac": zero / len(seq_ratios),
        "gmpo/clip_frac_high": high / len(log_ratios),
        "gmpo/clip_frac_low": low / len(log_ratios),
        "gmpo/clamped_frac": clamped / len(seq_ratios),
        "actor/ppo_kl": -sum(log_ratios) / len(log_ratios),
        "actor/pg_clipfrac": (high + low) / len(log_ratios),
    }


@settings(max_examples=60)
@given(seed=st.integers(0, 1000), name=st.sampled_from(["gmpo", "sequence clip", "no clip", "no length norm", "grpo"]))
def test_metrics_are_what_a_loop_over_tokens_counts(seed, name):
    batch = random_batch(seed, rows=9, spread=6.0 if name == "no length norm" else 0.6)
    batch["mask"][1, 0] = True
    measured = update_metrics(statistics(batch, FAMILY[name]))
    assert measured == pytest.approx(by_hand(batch, FAMILY[name]), rel=1e-12, abs=1e-15)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), cut=st.integers(1, 8))
def test_metrics_do_not_depend_on_the_cut(seed, cut):
    batch = random_batch(seed, rows=9)
    batch["mask"][1, 0] = True
    parts = [statistics({k: v[rows] for k, v in batch.items()}, Objective()) for rows in (slice(cut), slice(cut, 9))]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    whole = update_metrics(statistics(batch, Objective()))
    assert update_metrics(joined) == pytest.approx(whole, rel=1e-14)


def test_padding_may_hold_anything():
    batch = random_batch(5)
    poisoned = batch | {"log_prob": torch.where(batch["mask"], batch["log_prob"], math.nan)}
    for name, values in statistics(batch, Objective()).items():
        assert np.array_equal(values, statistics(poisoned, Objective())[name]), name


def test_a_loss_outside_the_family_has_no_clip_of_ours():
    measured = update_metrics(statistics(random_batch(5), None))
    assert "gmpo/log_ratio_max" in measured
    assert not {"gmpo/clip_frac_high", "gmpo/clamped_frac", "actor/pg_clipfrac"} & set(measured)


def test_no_response_no_metrics():
    batch = random_batch(5)
    batch["mask"][:] = False
    assert update_metrics(statistics(batch, Objective())) == {}


def test_kl_to_the_reference_is_zero_at_it_and_estimates_the_divergence_of_two_distributions():
    log_p = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log()
    log_q = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log()
    tokens = torch.multinomial(log_p.exp(), 400_000, replacement=True, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(1, len(tokens), dtype=torch.bool)
    exact = (log_p.exp() * (log_p - log_q)).sum().item()
    assert kl_to_reference(log_p[tokens][None], log_q[tokens][None], mask) == pytest.approx(exact, rel=0.01)
    assert kl_to_reference(log_p[tokens][None], log_p[tokens][None], mask) == 0


def test_kl_to_the_reference_ignores_padding():
    log_p, log_q = torch.tensor([[-1.0, math.nan]]), torch.tensor([[-2.0, 0.0]])
    assert kl_to_reference(log_p, log_q, torch.tensor([[True, False]])) == pytest.approx(math.exp(-1) - 1 + 1)
