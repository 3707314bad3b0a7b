"""A dry run plans a run of a real model on a machine that has neither the model, nor the data, nor the GPUs."""

import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from omegaconf import OmegaConf
from safetensors.torch import save_file

from gmpo_verl.config.compose import compose
from gmpo_verl.data.arithmetic.tokenizer import make_tokenizer
from gmpo_verl.trainer.preflight import check, describe, devices, memory_report, model

MODEL, ROLLOUT = "actor_rollout_ref.model.path", "actor_rollout_ref.rollout"
PREPARE = "python -m gmpo_verl.prepare_data math_lvl3to5 --out data/math_lvl3to5 --template qwen_math"


@pytest.fixture(scope="module")
def recipe():
    return compose(["recipe=qwen2_5_math_7b", "dry_run=true"])


@pytest.fixture
def bare(recipe, tmp_path, monkeypatch):
    """The 7B recipe, some values replaced, on a machine with nothing of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(devices, "gpu_count", lambda: 0)
    monkeypatch.setattr(model, "hub_file", lambda name, file: None)

    def change(**values):
        config = recipe.copy()
        config.run_dir = str(tmp_path / "run")
        for key, value in values.items():
            OmegaConf.update(config, key, value)
        return config

    return change


def lines(config) -> dict[str, str]:
    """A report by subject."""
    split = [line.strip().split("  ", 1) for line in describe(config).splitlines() if "  " in line.strip()]
    return {name: text.strip() for name, text in split}


def unchecked(config) -> list[str]:
    _, _, after = describe(config).partition("not checked here:\n")
    return [line.removeprefix("  - ") for line in after.splitlines()]


def test_the_plan_is_made_without_model_data_and_gpus(bare):
    assert check(bare()) == []
    report = lines(bare())
    assert report["round"] == "128 prompts x 8 responses = 1024 responses, 4,120,576 tokens at most"
    assert report["optimizer"] == "8 steps a round of 128 responses, learning rate 1e-06"
    assert report["a rank"] == "128 responses a round, 16 a step, in micro-batches of 16,384 tokens at most"
    assert report["training data"].endswith("about 8,886 problems")
    assert report["validation data"] == (
        "data/evaluation_suite (aime24, amc, math500, minerva, olympiad_bench), 16 responses a problem"
    )
    assert report["length"] == "1380 rounds, 11,040 optimizer steps, 1,413,120 responses"
    assert report["parameters"] == "7.62 billion"
    assert report["memory a GPU"] == "59 GB of 80 GB assumed, estimated"
    assert report["disk"].startswith("91 GB a checkpoint, 457 GB for 5 of 14 at a time")


def test_a_dry_run_says_what_was_not_checked(bare):
    gpus, model_there, train, validation = unchecked(bare())
    assert gpus == "the GPUs: 8 for training are asked for, 0 are here"
    assert f"{MODEL}: Qwen/Qwen2.5-Math-7B is not here" in model_there
    assert train == f"data.train_files: data/math_lvl3to5 is not here ({PREPARE} writes it)"
    assert validation.startswith("data.val_files: data/evaluation_suite is not here")


def test_a_run_is_refused_for_what_a_dry_run_leaves_out(bare):
    findings = check(bare(dry_run=False))
    assert f"data.train_files names files in data/math_lvl3to5, which does not exist: write them with {PREPARE}." in (
        findings
    )
    assert len([finding for finding in findings if finding.startswith("data.val_files")]) == 1  # five files, one set
    assert any("needs a GPU and there is none here" in finding for finding in findings)
    assert any("HF_HUB_OFFLINE" in finding for finding in findings)


def test_a_missing_file_in_a_folder_that_is_there_is_a_misspelt_one(bare, tmp_path):
    folder = tmp_path / "data" / "math_lvl3to5"
    folder.mkdir(parents=True)
    (folder / "train.parquet").write_bytes(b"")
    finding = next(
        finding
        for finding in check(bare(dry_run=False, **{"data.train_files": "data/math_lvl3to5/trian.parquet"}))
        if finding.startswith("data.train_files")
    )
    assert "did you mean data/math_lvl3to5/train.parquet?" in finding


def test_what_is_wrong_by_itself_is_still_refused(bare):
    impossible = {"data.max_response_length": 4096, "actor_rollout_ref.actor.ppo_mini_batch_size": 48}
    context, batches = sorted(check(bare(**impossible)), key=lambda finding: "ppo_mini_batch_size" in finding)
    assert "need 5120 tokens, but the model's context is 4096" in context
    assert "not a multiple of actor_rollout_ref.actor.ppo_mini_batch_size=48" in batches


@pytest.mark.parametrize(("nodes", "responses"), [(1, "128 responses a round, 16"), (8, "16 responses a round, 2")])
def test_several_nodes_are_planned_without_their_cluster(bare, nodes, responses):
    config = bare(**{"trainer.nnodes": nodes})
    assert check(config) == []
    assert lines(config)["a rank"].startswith(f"{responses} a step")
    assert any("the Ray cluster" in what for what in unchecked(config)) == (nodes > 1)
    assert (f"({nodes} nodes x 8)" in lines(config)["workers"]) == (nodes > 1)


def test_rollouts_of_their_own_are_planned(bare):
    config = bare(
        **{
            "trainer.v1.trainer_mode": "separate_async",
            "trainer.v1.separate_async.parameter_sync_step": 8,
            "trainer.n_gpus_per_node": 4,
            f"{ROLLOUT}.nnodes": 1,
            f"{ROLLOUT}.n_gpus_per_node": 4,
        }
    )
    assert check(config) == []
    assert lines(config)["workers"] == "4 on cuda, rollouts by vllm on 4 of their own, separate_async"
    assert "48.0 GB = vLLM 48.0 on the GPUs of their own" in lines(config)["rollout"]
    assert unchecked(config)[0] == "the GPUs: 4 for training and 4 for rollouts are asked for, 0 are here"


def test_more_memory_than_a_gpu_has_is_said(bare):
    assert "TOO MUCH" not in lines(bare())["memory a GPU"]
    assert lines(bare(**{"trainer.n_gpus_per_node": 1}))["memory a GPU"].endswith("estimated: TOO MUCH")


def test_a_share_that_cannot_hold_the_weights_is_said(bare):
    small = bare(**{f"{ROLLOUT}.gpu_memory_utilization": 0.1})
    assert lines(small)["rollout"].endswith("vLLM's share does not hold the weights and one sequence")


def test_an_unknown_model_and_unknown_data_are_planned_as_far_as_possible(bare):
    config = bare(**{MODEL: "nobody/nothing-7B", "data.train_files": "/nowhere/train.parquet"})
    assert check(config) == []
    report = lines(config)
    assert report["memory"] == "not estimated: the model's sizes are not known here"
    assert report["length"] == "an unknown number of rounds"
    assert "data.train_files: /nowhere/train.parquet is not here" in unchecked(config)


@pytest.mark.parametrize("installed", [True, False])
def test_a_multimodal_model_needs_the_package_that_reads_images(bare, monkeypatch, installed):
    monkeypatch.setattr(model, "can_read_images", lambda: installed)
    figures = {MODEL: "Qwen/Qwen2.5-VL-7B-Instruct"}
    assert check(bare(**figures)) == []
    assert any("qwen-vl-utils" in what for what in unchecked(bare(**figures))) != installed
    refused = check(bare(dry_run=False, **figures))
    assert any("pip install qwen-vl-utils" in finding for finding in refused) != installed
    assert not any("qwen-vl-utils" in finding for finding in check(bare(dry_run=False)))


def test_with_everything_there_nothing_is_left_out(bare, tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "gpu_count", lambda: 8)
    monkeypatch.setattr(memory_report, "_gpu_memory", lambda: (141e9, False))
    row = {
        "data_source": "sums",
        "prompt": [{"role": "user", "content": "1+1="}],
        "reward_model": {"style": "rule", "ground_truth": "2"},
    }
    parquet.write_table(pa.Table.from_pylist([row] * 256), tmp_path / "train.parquet")
    folder = tmp_path / "model"
    make_tokenizer().save_pretrained(folder)
    sizes = {
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": 128,
        "max_position_embeddings": 4096,
    }
    (folder / "config.json").write_text(json.dumps(sizes))
    import torch

    save_file({"weights": torch.zeros(2_000_000)}, folder / "model.safetensors")
    files = {f"data.{name}_files": str(tmp_path / "train.parquet") for name in ("train", "val")}
    config = bare(**files, **{MODEL: str(folder), "ray_kwargs.ray_init.num_cpus": 64})
    assert check(config) == []
    assert unchecked(config) == []
    report = lines(config)
    assert report["training data"].endswith("256 problems at most")
    assert report["parameters"] == "0.00 billion"
    assert "of 141 GB, estimated" in report["memory a GPU"]
    assert report["length"].startswith("40 rounds")


@pytest.mark.parametrize(("arguments", "code"), [(["dry_run=true"], 0), ([], 2)])
def test_the_command_ends_with(arguments, code, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GMPO_")}
    ended = subprocess.run(
        [sys.executable, "-m", "gmpo_verl.trainer.driver", "recipe=qwen2_5_math_1_5b", *arguments],
        cwd=tmp_path,
        env=environment
        | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path.parent / "no-hub"), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == code, ended.stderr
    assert PREPARE in (ended.stdout if code == 0 else ended.stderr)
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []
