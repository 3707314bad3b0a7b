"""A mistake in the command: one sentence, exit code 2, nothing written, and no vLLM."""

import os
import subprocess
import sys

import pytest
from test_benchmarks import row, write
from tiny_models import model_folder

from gmpo_verl.errors import UserError
from gmpo_verl.evaluate import main
from gmpo_verl.evaluation import generation
from gmpo_verl.evaluation.devices import Devices, worker_environment
from gmpo_verl.solve import main as solve


@pytest.fixture(autouse=True)
def no_vllm(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a worker was started")

    monkeypatch.setattr(generation.Workers, "_start", refuse)


@pytest.fixture
def arguments(tmp_path):
    write(tmp_path / "data", "amc", [row(), row("2", content="What is 2?")])
    model_folder(tmp_path / "model", context=4096)
    return {"--model": str(tmp_path / "model"), "--data": str(tmp_path / "data"), "--out": str(tmp_path / "out")}


def run(arguments, *changes):
    return main([text for pair in arguments.items() for text in pair] + list(changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("--model", "/nowhere"), "--model /nowhere does not exist"),
        (("--data", "/nowhere"), "--data /nowhere does not exist"),
        (("--benchmarks", "acm"), "did you mean amc"),
        (("--n", "0"), "--n 0 is out of range"),
        (("--n", "4"), "--n 4 with --temperature 0"),
        (("--top-p", "2"), "--top-p 2.0 is out of range"),
        (("--temperature", "-1"), "--temperature -1.0 is out of range"),
        (("--max-tokens", "4090"), "write --max-tokens"),
        (("--dtype", "int8"), "--dtype int8 does not exist"),
        (("--tensor-parallel-size", "0"), "--tensor-parallel-size 0"),
        (("--gpu-memory-utilization", "1.5"), "--gpu-memory-utilization 1.5"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(arguments, capsys, changes, said):
    assert run(arguments, *changes) == 2
    errors = capsys.readouterr().err
    assert said in errors and "Traceback" not in errors
    assert len([line for line in errors.splitlines() if line.startswith("gmpo_verl: ")]) == 1
    assert not os.path.exists(arguments["--out"])


def test_more_gpus_than_there_are_are_refused(monkeypatch, arguments, capsys):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    assert run(arguments, "--tensor-parallel-size", "2", "--data-parallel-size", "2") == 2
    assert "need 4 GPUs and 3 are visible" in capsys.readouterr().err


def test_each_worker_gets_its_share_of_the_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7,GPU-8")
    assert Devices(2, 2).shares() == [["4", "5"], ["6", "7"]]
    assert worker_environment(["4", "5"], 2)["CUDA_VISIBLE_DEVICES"] == "4,5"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert Devices(1, 2).shares() == [[], []]
    assert worker_environment([], 2)["TORCH_COMPILE_DISABLE"] == "1"


def test_what_the_user_has_set_for_a_worker_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert worker_environment([], 1)["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("--samples", "0"), "--samples 0 is out of range"),
        (("--samples", "3", "--temperature", "0"), "--samples 3 with --temperature 0"),
        (("--image", "/nowhere.png"), "--image /nowhere.png is no file"),
        (("--image", __file__), "is not a picture"),
        (("--max-tokens", "5000"), "write --max-tokens"),
    ],
)
def test_solve_refuses_in_one_sentence_too(arguments, capsys, changes, said):
    assert solve(["--model", arguments["--model"], "1+1=?", *changes]) == 2
    assert said in capsys.readouterr().err


def test_solve_refuses_an_empty_problem_and_images_for_a_model_of_text(arguments, capsys, tmp_path):
    assert solve(["--model", arguments["--model"], "  "]) == 2
    assert "the problem is empty" in capsys.readouterr().err
    from PIL import Image

    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    assert solve(["--model", arguments["--model"], "1?", "--image", str(tmp_path / "a.png")]) == 2
    assert "takes no images" in capsys.readouterr().err
    with_place = ["--model", arguments["--model"], "<image><image> 1?", "--image", str(tmp_path / "a.png")]
    assert solve(with_place) == 2
    assert "2 places <image>" in capsys.readouterr().err


def test_a_full_disk_is_one_sentence(arguments, capsys, monkeypatch):
    from gmpo_verl.evaluation import answer_file

    def full(path, text):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(answer_file, "write_atomically", full)
    assert run(arguments) == 2
    assert "cannot be written (No space left on device)" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["gmpo_verl.evaluate", "gmpo_verl.solve"])
def test_help_imports_nothing_heavy(module):
    code = (
        f"import sys, runpy; sys.argv = ['x', '--help']\ntry: runpy.run_module('{module}', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'vllm', 'transformers', 'verl', 'pyarrow', 'numpy'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_bad_devices_are_named():
    with pytest.raises(UserError, match="--data-parallel-size 0"):
        Devices(1, 0)
