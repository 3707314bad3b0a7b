"""The model of a training round: limits, invariances, and steps that others have published."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[3] / "scripts" / "benchmarks"))
round_parts = importlib.import_module("round_parts")
round_model = importlib.import_module("round_model")

MODEL = round_model.MODELS["7B"]
H100 = round_model.MACHINES["h100"]
BASE = round_parts.Round()
EVEN = replace(BASE, spread=0.0)  # every response has the same length
FREE_LINKS = replace(H100, nvlink=float("inf"), network=float("inf"))
PASSES = ("old log-probs", "update")


@pytest.mark.parametrize(("name", "published"), [("7B", 7.62e9), ("1.5B", 1.54e9), ("32B", 32.8e9)])
def test_the_shape_gives_the_published_number_of_parameters(name, published):
    assert round_model.MODELS[name].parameters == pytest.approx(published, rel=0.005)


def test_a_token_of_the_7b_model_takes_56_kib_of_kv_cache():
    assert MODEL.kv_bytes == 56 * 1024


def test_response_lengths_have_the_mean_that_is_asked_for_and_end_at_the_limit():
    lengths = BASE.lengths(BASE.size)
    assert lengths == sorted(lengths) and lengths[-1] == BASE.limit
    unlimited = replace(BASE, limit=10**9).lengths(BASE.size)
    assert sum(unlimited) / len(unlimited) == pytest.approx(BASE.response_tokens, rel=0.01)
    assert set(EVEN.lengths(BASE.size)) == {BASE.response_tokens}


@pytest.mark.parametrize("gpus", [8, 16, 32, 64])
def test_twice_the_gpus_halve_the_passes_where_links_are_free_and_lengths_equal(gpus):
    few, many = (round_parts.parts(MODEL, FREE_LINKS, EVEN, n) for n in (gpus, 2 * gpus))
    for part in PASSES:
        assert many[part] == pytest.approx(few[part] / 2)


def test_more_gpus_never_make_generation_shorter_than_the_longest_response():
    floor = BASE.limit * round_parts.decode_step_seconds(MODEL, H100, BASE, running=1, context=BASE.prompt_tokens)
    seconds = [round_parts.generation_seconds(MODEL, H100, BASE, gpus) for gpus in (8, 16, 32, 64, 128)]
    assert seconds == sorted(seconds, reverse=True)
    assert seconds[-1] > floor


def test_no_update_is_shorter_than_its_traffic():
    slow = replace(H100, network=1e9)
    traffic = 4 * MODEL.weight_bytes / slow.bus(64)
    assert round_parts.update_seconds(MODEL, slow, BASE, 64) == pytest.approx(BASE.updates * traffic)


@pytest.mark.parametrize("gpus", [8, 64])
def test_pruning_nobody_changes_nothing(gpus):
    everyone = sorted(BASE.prompt_tokens + length for length in BASE.lengths(BASE.size))
    assert sorted(replace(BASE, pruned=0.0).sequences(gpus)) == everyone


@given(sixteenths=st.integers(0, 15))
def test_pruning_leaves_one_minus_its_share_of_the_passes_and_all_else_as_it_is(sixteenths):
    share = sixteenths / 16
    whole = round_parts.parts(MODEL, FREE_LINKS, EVEN, 8)
    pruned = round_parts.parts(MODEL, FREE_LINKS, replace(EVEN, pruned=share), 8)
    for part in whole:
        left = 1 - share if part in PASSES else 1
        assert pruned[part] == pytest.approx(left * whole[part])


@given(pruned=st.floats(0, 1), gpus=st.sampled_from([8, 16, 32, 64]))
def test_what_stays_is_a_multiple_of_updates_and_ranks_and_holds_all_that_have_an_advantage(pruned, gpus):
    setup = replace(BASE, pruned=pruned)
    stay = len(setup.sequences(gpus))
    assert stay % (setup.updates * gpus) == 0
    assert max(round(setup.size * (1 - pruned)), 1) <= stay <= setup.size


def test_on_64_gpus_a_quarter_pruned_is_filled_up_again():
    assert len(replace(BASE, pruned=0.25).sequences(64)) == BASE.size


@settings(max_examples=40)
@given(
    setup=st.builds(
        round_parts.Round,
        response_tokens=st.floats(1, 1e4),
        spread=st.floats(0, 2),
        limit=st.integers(1, 2000),
        tensor_parallel=st.sampled_from([1, 2, 4, 8]),
        overhead=st.floats(0, 0.1),
        pruned=st.floats(0, 1),
        bypass=st.booleans(),
        balanced=st.booleans(),
    ),
    gpus=st.sampled_from([8, 64]),
    machine=st.sampled_from(list(round_model.MACHINES.values())),
)
def test_no_part_is_negative_and_balancing_never_costs(setup, gpus, machine):
    costs = round_parts.parts(MODEL, machine, setup, gpus)
    assert min(costs.values()) >= 0
    balanced = round_parts.update_seconds(MODEL, machine, replace(setup, balanced=True), gpus)
    assert balanced <= round_parts.update_seconds(MODEL, machine, replace(setup, balanced=False), gpus) * (1 + 1e-9)


@pytest.mark.parametrize("gpus", [8, 64])
def test_the_best_split_waits_for_its_slower_side(gpus):
    seconds = round_model.separate_async_seconds(MODEL, H100, BASE, gpus)
    splits = round_model.separate_async_splits(MODEL, H100, BASE, gpus)
    trainers = min(splits, key=splits.__getitem__)
    assert seconds == splits[trainers]
    assert round_model.fits(MODEL, H100, trainers) and BASE.size // BASE.updates % trainers == 0
    generation = round_parts.steady_generation_seconds(MODEL, H100, BASE, gpus - trainers, in_flight=BASE.size)
    assert seconds >= generation + round_parts.sync_seconds(MODEL, H100, gpus)
    assert seconds >= sum(round_parts.parts(MODEL, H100, BASE, trainers)[part] for part in PASSES)


# Steps of verl on eight GPUs (rollout with tensor parallel 2, without CUDA graphs); README.md has the sources.
GSM8K = round_parts.Round(
    prompts=1024, group=5, limit=1024, tensor_parallel=2, step_overhead=round_model.EAGER_STEP_S, overhead=0.0
)
PUBLISHED = [
    (
        "h100",
        replace(GSM8K, updates=16, prompt_tokens=94, response_tokens=183, spread=0.5),
        {"generation": 25.8, "old log-probs": 6.5, "update": 33.8},
    ),
    (
        "a100",
        replace(GSM8K, updates=4, prompt_tokens=101, response_tokens=246, spread=0.8),
        {"old log-probs": 32.2, "update": 130.5},
    ),
]


@pytest.mark.parametrize(("gpu", "setup", "seconds"), PUBLISHED)
def test_published_steps_are_met_within_a_quarter(gpu, setup, seconds):
    costs = round_parts.parts(MODEL, round_model.MACHINES[gpu], setup, 8)
    assert {part: costs[part] for part in seconds} == pytest.approx(seconds, rel=0.25)


def test_the_command_prints_the_round_of_the_asked_machine(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["round_model.py", "--gpu", "a100", "--gpus", "16", "--overhead-ms", "5"])
    round_model.main()
    seconds = round_model.round_seconds(MODEL, round_model.MACHINES["a100"], replace(BASE, overhead=5e-3), 16)
    printed = capsys.readouterr().out
    assert any(line.split()[:2] == ["round", f"{seconds:.1f}"] for line in printed.splitlines())


def test_gpus_that_do_not_divide_a_mini_batch_are_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["round_model.py", "--gpus", "24"])
    with pytest.raises(SystemExit):
        round_model.main()
    assert "--gpus must be some of" in capsys.readouterr().err
