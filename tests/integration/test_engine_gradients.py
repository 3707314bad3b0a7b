"""Through verl's FSDP2 engine, one mini-batch has one gradient, however it is cut into micro-batches and spread.

Gradients are compared as vectors over all parameters, in verl's own worker on one rank and on two.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import engine_gradients
import pytest
import torch
from engine_gradients import ALGORITHMS, EQUAL_CUTS, UNEVEN_CUTS, WHOLE, Result
from transformers import Qwen2Config, Qwen2ForCausalLM

from gmpo_verl.data.arithmetic.tokenizer import make_tokenizer

TOLERANCE = 1e-5  # relative; float32 leaves about 1e-7
TIMEOUT = 600  # seconds, for what takes about 20

Results = dict[str, dict[str, Result]]  # by loss, then by cut


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    tokenizer = make_tokenizer()
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
    )
    torch.manual_seed(0)
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def results(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Results]:
    """By the number of ranks."""
    folder = tmp_path_factory.mktemp("gradients")
    with ThreadPoolExecutor() as pool:
        runs = {ranks: pool.submit(run_ranks, ranks, model, folder / f"{ranks}.pt") for ranks in (1, 2)}
    return {ranks: run.result() for ranks, run in runs.items()}


def run_ranks(ranks: int, model: Path, out: Path) -> Results:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    with subprocess.Popen(
        [*torchrun, engine_gradients.__file__, str(model), str(out)],
        # On the CPU, in float32, also where there is a GPU; torchrun leaves a folder of logs in TMPDIR.
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "TMPDIR": str(out.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=TIMEOUT)
        finally:
            process.terminate()  # and torchrun ends its ranks
    assert process.returncode == 0, output
    saved = torch.load(out)
    return {loss: {cut: Result(**values) for cut, values in cuts.items()} for loss, cuts in saved.items()}


def relative_difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return ((a - b).norm() / b.norm()).item()


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
