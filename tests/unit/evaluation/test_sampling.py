"""Sampling options, and seeds."""

import pytest

from gmpo_verl.errors import UserError
from gmpo_verl.evaluation.sampling import Sampling, check_samples


@pytest.mark.parametrize(
    ("option", "changes"),
    [
        ("--temperature", {"temperature": -0.1}),
        ("--temperature", {"temperature": float("nan")}),
        ("--top-p", {"top_p": 0.0}),
        ("--top-p", {"top_p": 1.1}),
        ("--top-k", {"top_k": 0}),
        ("--max-tokens", {"max_tokens": 0}),
        ("--seed", {"seed": -1}),
        ("--dtype", {"dtype": "float8"}),
    ],
)
def test_a_value_out_of_range_names_its_option(option, changes):
    with pytest.raises(UserError, match=f"^{option} "):
        Sampling(**changes)


def test_one_greedy_answer_is_enough():
    check_samples("--n", 1, 0)
    check_samples("--n", 16, 0.6)
    for n, temperature in ((0, 0.6), (2, 0)):
        with pytest.raises(UserError, match=r"^--n "):
            check_samples("--n", n, temperature)


def test_every_answer_has_its_own_seed():
    seeds = {Sampling(seed=s).seed_of(prompt, i) for s in range(3) for prompt in ("a", "b") for i in range(4)}
    assert len(seeds) == 24
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert Sampling(seed=1).seed_of("a", 0) == Sampling(seed=1, temperature=0.6).seed_of("a", 0)


def test_greedy_answers_are_the_same_under_any_seed():
    assert Sampling(seed=1, top_p=0.9).identity() == Sampling(seed=2).identity()
    assert Sampling(seed=1, temperature=1).identity() != Sampling(seed=2, temperature=1).identity()
