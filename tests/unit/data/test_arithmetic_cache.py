"""The cache: one warm start for the same settings, never half of one."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from gmpo_verl.data.arithmetic import ArithmeticTask, prepare
from gmpo_verl.data.arithmetic.cache import cache_key, default_cache_dir
from gmpo_verl.errors import UserError

SHORT = ArithmeticTask(clean_steps=2, slip_steps=1, batch_size=8, train_size=100)


def test_the_files_load_as_a_model_a_tokenizer_and_data(tmp_path: Path) -> None:
    files = prepare(SHORT, tmp_path)
    tokenizer, model = AutoTokenizer.from_pretrained(files.model), AutoModelForCausalLM.from_pretrained(files.model)
    assert model.config.vocab_size == len(tokenizer)
    assert files.train.is_file()
    assert files.validation.is_file()


def test_a_second_call_reuses_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare(SHORT, tmp_path)
    monkeypatch.setattr("gmpo_verl.data.arithmetic.cache._make", lambda *_: pytest.fail("made again"))
    assert prepare(SHORT, tmp_path) == first


def test_every_setting_is_part_of_the_key() -> None:
    task = ArithmeticTask(digits=3, terms=3, slip_range=5, seed=1)
    for field in fields(task):
        value = getattr(task, field.name)
        changed = not value if isinstance(value, bool) else value / 2 if isinstance(value, float) else value - 1
        assert cache_key(replace(task, **{field.name: changed})) != cache_key(task), field.name


def test_a_failed_warm_start_leaves_no_finished_files_and_the_next_call_makes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="broken"):
        patched.setattr(
            "gmpo_verl.data.arithmetic.warm_start.warm_start",
            lambda *_: (_ for _ in ()).throw(RuntimeError("broken")),
        )
        prepare(SHORT, tmp_path)
    assert not (tmp_path / "arithmetic" / cache_key(SHORT)).exists()
    assert prepare(SHORT, tmp_path).train.is_file()


def test_a_killed_warm_start_leaves_no_finished_files_and_the_next_call_makes_them(tmp_path: Path) -> None:
    partial = tmp_path / "arithmetic" / f"{cache_key(SHORT)}.partial"
    # The child makes the data and the tokenizer, then waits in place of the warm start until it is killed.
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from gmpo_verl.data.arithmetic import ArithmeticTask, prepare, warm_start\n"
        "warm_start.warm_start = lambda *_: time.sleep(300)\n"
        "prepare(ArithmeticTask(clean_steps=2, slip_steps=1, batch_size=8, train_size=100), Path(sys.argv[1]))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    try:
        deadline = time.monotonic() + 120
        while not (partial / "model" / "tokenizer.json").exists():
            assert child.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert not (tmp_path / "arithmetic" / cache_key(SHORT)).exists()
    files = prepare(SHORT, tmp_path)
    assert (files.model / "model.safetensors").is_file()
    assert not partial.exists()


def test_a_cache_folder_that_cannot_be_written_is_named_with_its_variable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="GMPO_CACHE"):
        prepare(SHORT, tmp_path / "file")


def test_the_cache_folder_is_the_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GMPO_CACHE", str(tmp_path))
    assert default_cache_dir() == tmp_path
    monkeypatch.delenv("GMPO_CACHE")
    assert default_cache_dir() == Path.home() / ".cache" / "gmpo_verl"
