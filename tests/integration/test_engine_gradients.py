"""Through verl's FSDP2 engine, one mini-batch has one gradient, however it is cut into micro-batches and spread.

Gradients are compared as vectors over all parameters, in verl's own worker on one rank and on two.
"""

from pathlib import Path

import engine_gradients
import pytest
import torch
from engine_actor import ALGORITHMS
from engine_gradients import EQUAL_CUTS, UNEVEN_CUTS, WHOLE, Result
from rank_processes import relative_difference, run_on_one_and_two_ranks

TOLERANCE = 1e-5  # relative; float32 leaves about 1e-7

Results = dict[str, dict[str, Result]]  # by loss, then by cut


@pytest.fixture(scope="module")
def results(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Results]:
    """By the number of ranks."""
    saved = run_on_one_and_two_ranks(engine_gradients.__file__, model, tmp_path_factory.mktemp("gradients"))
    return {
        ranks: {loss: {cut: Result(**values) for cut, values in cuts.items()} for loss, cuts in losses.items()}
        for ranks, losses in saved.items()
    }


def test_the_cuts_are_what_they_say_and_tokens_clip(results):
    one_rank, two_ranks = results[1]["gmpo"], results[2]["gmpo"]
    assert [one_rank[cut].micro_batches for cut in EQUAL_CUTS] == [[8], [4] * 2, [2] * 4, [1] * 8]
    assert [sorted(one_rank[cut].micro_batches) for cut in UNEVEN_CUTS] == [[2, 6], [1, 3, 4]]
    assert all(len(set(two_ranks[cut].micro_batches)) > 1 for cut in UNEVEN_CUTS)
    assert one_rank[WHOLE].clip_fraction > 0.1


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("loss", [*ALGORITHMS, "vanilla"])
def test_gradient_and_reported_loss_do_not_depend_on_the_cut_or_the_ranks(results, loss, ranks):
    whole = results[1][loss][WHOLE]
    differences = {
        cut: relative_difference(result.gradient, whole.gradient) for cut, result in results[ranks][loss].items()
    }
    assert max(differences.values()) < TOLERANCE, differences
    losses = {cut: result.pg_loss for cut, result in results[ranks][loss].items()}
    assert losses == pytest.approx(dict.fromkeys(losses, whole.pg_loss), rel=TOLERANCE)


def test_uncut_verls_geo_mean_is_gmpo(results):
    ours, verls = results[1]["gmpo"][WHOLE], results[1]["geo_mean"][WHOLE]
    assert relative_difference(ours.gradient, verls.gradient) < TOLERANCE


@pytest.mark.parametrize("cut", EQUAL_CUTS)
def test_verls_geo_mean_multiplies_gradient_and_loss_by_the_number_of_micro_batches(results, cut):
    whole, result = results[1]["geo_mean"][WHOLE], results[1]["geo_mean"][cut]
    times = len(result.micro_batches)
    assert relative_difference(result.gradient, times * whole.gradient) < TOLERANCE
    assert result.pg_loss == pytest.approx(times * whole.pg_loss, rel=TOLERANCE)


@pytest.mark.parametrize("cut", UNEVEN_CUTS)
def test_an_uneven_cut_turns_the_gradient_of_verls_geo_mean(results, cut):
    whole, result = results[1]["geo_mean"][WHOLE].gradient, results[1]["geo_mean"][cut].gradient
    assert torch.cosine_similarity(whole.double(), result.double(), dim=0) < 0.98
