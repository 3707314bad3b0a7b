"""Through verl's FSDP2 engine, responses without an advantage leave a round without a trace in its updates.

With one update a round, gradient and trained weights are those of the whole round. With several, verl deals the kept
responses out to the updates anew: each enters one of them, with the weight that it had.
"""

from pathlib import Path
from typing import Any

import pruned_updates
import pytest
import torch
from pruned_updates import GROUPS, LEARNING_RATE, LOSSES, OPTIMIZER_STEPS, ROUNDS, TRAINING, WEIGHT_DECAY
from rank_processes import relative_difference, run_on_one_and_two_ranks

TOLERANCE = 1e-6  # relative, of a gradient; float32 leaves about 1e-7
# Of what a round adds to the weights, which is about 1e-3 of them. Adam's first steps magnify the rounding of gradients
# that are nearly zero.
STEP_TOLERANCE = 1e-3
CASES = [(ranks, loss, round_) for ranks in (1, 2) for loss, rounds in LOSSES.items() for round_ in rounds]


@pytest.fixture(scope="module")
def results(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    """By the number of ranks."""
    return run_on_one_and_two_ranks(pruned_updates.__file__, model, tmp_path_factory.mktemp("pruned"))


def whole_and_pruned(results: dict[int, Any], ranks: int, loss: str, round_: str, steps: int) -> list[dict[str, Any]]:
    return [results[ranks]["updates"][loss, round_, steps, prunes] for prunes in (False, True)]


@pytest.mark.parametrize(("ranks", "steps", "sizes"), [(1, 1, [16, 6, 3, 1, 1]), (2, 2, [16, 8, 4, 4, 4])])
def test_a_pruned_round_is_as_small_as_it_says(results, ranks, steps, sizes):
    rounds = [whole_and_pruned(results, ranks, "gmpo", round_, steps) for round_ in ROUNDS]
    assert [len(whole["chosen"]) for whole, _ in rounds] == [len(GROUPS)] * len(rounds)
    assert [len(pruned["chosen"]) for _, pruned in rounds] == sizes


@pytest.mark.parametrize(("ranks", "loss", "round_"), CASES)
def test_with_one_update_the_gradient_is_that_of_the_whole_round(results, ranks, loss, round_):
    whole, pruned = whole_and_pruned(results, ranks, loss, round_, 1)
    (expected,), (gradient,) = whole["gradients"], pruned["gradients"]
    assert (expected.norm() > 0) == bool(ROUNDS[round_])
    assert (gradient - expected).norm() <= TOLERANCE * expected.norm()


@pytest.mark.parametrize(("ranks", "loss", "round_"), CASES)
def test_over_several_updates_each_kept_response_enters_once_with_the_weight_it_had(results, ranks, loss, round_):
    whole, pruned = whole_and_pruned(results, ranks, loss, round_, steps := max(OPTIMIZER_STEPS))
    assert len(pruned["gradients"]) == len(whole["gradients"]) == steps
    assert sorted(pruned["entered"]) == pruned["chosen"]
    expected = sum(whole["gradients"])
    assert (sum(pruned["gradients"]) - expected).norm() <= TOLERANCE * expected.norm()


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_run_of_adamw_rounds_moves_the_weights_as_whole_rounds_do(results, ranks):
    whole, pruned = (torch.stack(results[ranks]["training"][prunes]).diff(dim=0) for prunes in (False, True))
    differences = list(map(relative_difference, pruned, whole))
    assert len(differences) == len(TRAINING)
    assert max(differences) < STEP_TOLERANCE, differences


@pytest.mark.parametrize("ranks", [1, 2])
def test_where_all_leave_the_optimizer_steps_nonetheless(results, ranks):
    whole, pruned = (results[ranks]["training"][prunes] for prunes in (False, True))
    assert TRAINING[0] == "all leave"
    assert torch.equal(pruned[1], whole[1])
    decayed = (1 - LEARNING_RATE * WEIGHT_DECAY) * pruned[0]
    torch.testing.assert_close(pruned[1], decayed, rtol=TOLERANCE, atol=0)


def test_old_log_probs_of_the_kept_are_those_of_the_whole_round(results):
    whole, pruned = (results[1]["old_log_probs"][prunes] for prunes in (False, True))
    assert 0 < len(pruned) < len(whole) == len(GROUPS)
    for row, log_probs in pruned.items():
        torch.testing.assert_close(log_probs, whole[row], rtol=0, atol=1e-5)
