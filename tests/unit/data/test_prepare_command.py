import errno
import json
import os

import pytest
from small_sources import json_lines, names_below, prepared_rows, saved_folder

from gmpo_verl.data import preparation
from gmpo_verl.data.templates import messages
from gmpo_verl.prepare_data import main

ROWS = [{"problem": f"{n}+{n}", "answer": str(2 * n)} for n in range(5)]


@pytest.fixture
def source(tmp_path):
    return json_lines(tmp_path / "source/train.jsonl", ROWS)


def command(data_set, source, out, *more):
    return main([data_set, "--source", str(source), "--out", str(out), *more])


def test_it_writes_verls_columns(tmp_path, source):
    assert command("gsm8k", source, tmp_path / "out") == 0
    rows = prepared_rows(tmp_path / "out/train.parquet")
    assert len(rows) == 5
    assert rows[3] == {
        "data_source": "gsm8k",
        "prompt": messages("qwen_math", "3+3"),
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": ["6"]},
        "extra_info": {
            "index": 3,
            "split": "train",
            "template": "qwen_math",
            "problem": "3+3",
            "answer": "6",
            "level": None,
            "subject": None,
            "source_split": "train",
            "source_index": 3,
        },
    }


def test_the_manifest_says_what_was_written(tmp_path, source):
    import hashlib

    json_lines(source, [*ROWS, {"problem": "no answer", "answer": None}])
    command("gsm8k", source, tmp_path / "out", "--template", "r1")
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    data = (tmp_path / "out/train.parquet").read_bytes()
    assert manifest["files"] == {"train.parquet": {"rows": 5, "sha256": hashlib.sha256(data).hexdigest()}}
    assert (manifest["set"], manifest["source"], manifest["template"]) == ("gsm8k", str(source), "r1")
    assert (manifest["rows_in"], manifest["rows_out"]) == (6, 5)
    assert manifest["dropped"] == [{"reason": "no answer", "count": 1, "rows": {"train": [5]}}]
    assert manifest["source_files"] == {"train.jsonl": hashlib.sha256(source.read_bytes()).hexdigest()}


def test_the_same_input_gives_the_same_bytes(tmp_path, source):
    for name in ("first", "second"):
        command("gsm8k", source, tmp_path / name)
    for name in ("train.parquet", "manifest.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_every_split_is_a_file_and_a_rows_number_counts_in_its_file(tmp_path):
    folder = saved_folder(tmp_path / "set", {"test": ROWS[:2], "train": ROWS})
    command("gsm8k", folder, tmp_path / "out")
    assert names_below(tmp_path / "out") == ["manifest.json", "test.parquet", "train.parquet"]
    infos = [row["extra_info"] for row in prepared_rows(tmp_path / "out/test.parquet")]
    assert [(info["split"], info["index"]) for info in infos] == [("test", 0), ("test", 1)]


def test_math_joins_its_splits_train_first_and_tells_where_each_row_stood(tmp_path):
    rows = [
        {"problem": f"p{n}", "level": "Level 5", "type": "Algebra", "solution": rf"\boxed{{{n}}}"} for n in range(3)
    ]
    folder = saved_folder(tmp_path / "set", {"test": rows[:1], "train": rows[1:]})
    command("math_lvl3to5", folder, tmp_path / "out")
    assert names_below(tmp_path / "out") == ["manifest.json", "train.parquet"]
    infos = [row["extra_info"] for row in prepared_rows(tmp_path / "out/train.parquet")]
    assert [(info["index"], info["source_split"], info["source_index"], info["problem"]) for info in infos] == [
        (0, "train", 0, "p1"),
        (1, "train", 1, "p2"),
        (2, "test", 0, "p0"),
    ]


def test_the_evaluation_suite_is_a_file_a_benchmark_and_names_what_it_does_not_read(tmp_path, capsys):
    names = ["aime", "amc", "math", "minerva", "olympiad_bench", "other"]
    folder = saved_folder(tmp_path / "set", dict.fromkeys(names, ROWS[:2]))
    assert command("evaluation_suite", folder, tmp_path / "out") == 0
    for name in ("aime24", "amc", "math500", "minerva", "olympiad_bench"):
        rows = prepared_rows(tmp_path / f"out/{name}.parquet")
        assert [row["data_source"] for row in rows] == [name, name]
    assert "Not read: other" in capsys.readouterr().out


def test_arithmetic_needs_no_source(tmp_path):
    assert main(["arithmetic", "--out", str(tmp_path / "out")]) == 0
    row = prepared_rows(tmp_path / "out/test.parquet")[0]
    problem = row["extra_info"]["problem"]
    assert row["prompt"] == [{"role": "user", "content": problem}]
    assert row["reward_model"]["ground_truth"] == [str(sum(map(int, problem.removesuffix("=").split("+"))))]


def test_repeating_a_command_replaces_its_own_files_and_no_others(tmp_path, source):
    out = tmp_path / "out"
    folder = saved_folder(tmp_path / "set", {"test": ROWS[:2], "train": ROWS})
    command("gsm8k", folder, out)
    (out / "notes.txt").write_text("mine")
    assert command("gsm8k", folder, out) == 0
    assert names_below(out) == ["manifest.json", "notes.txt", "test.parquet", "train.parquet"]
    assert command("gsm8k", source, out, "--overwrite") == 0
    assert names_below(out) == ["manifest.json", "notes.txt", "train.parquet"]


@pytest.mark.parametrize(
    ("data_set", "more"), [("asdiv", []), ("gsm8k", ["--template", "none"])], ids=["another set", "another template"]
)
def test_another_preparation_is_replaced_only_when_that_is_asked_for(tmp_path, source, capsys, data_set, more):
    out = tmp_path / "out"
    command("gsm8k", source, out)
    before = (out / "train.parquet").read_bytes()
    assert command(data_set, source, out, *more) == 2
    assert "holds another preparation (set gsm8k" in capsys.readouterr().err
    assert (out / "train.parquet").read_bytes() == before
    assert command(data_set, source, out, *more, "--overwrite") == 0
    assert (out / "train.parquet").read_bytes() != before


def test_files_of_somebody_else_are_not_replaced_unasked(tmp_path, source, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "train.parquet").write_text("mine")
    assert command("gsm8k", source, out) == 2
    assert "holds train.parquet and no manifest.json" in capsys.readouterr().err
    assert (out / "train.parquet").read_text() == "mine"


def test_a_source_is_never_overwritten(source, capsys):
    before = source.read_bytes()
    assert command("gsm8k", source.parent, source.parent, "--overwrite") == 2
    assert "is where the source's files are" in capsys.readouterr().err
    assert names_below(source.parent) == ["train.jsonl"]
    assert source.read_bytes() == before


def test_overwriting_removes_nothing_outside_the_folder(tmp_path, source):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "precious").write_text("mine")
    (out / "manifest.json").write_text(json.dumps({"files": {"../precious": {}}}))
    assert command("gsm8k", source, out, "--overwrite") == 0
    assert (tmp_path / "precious").read_text() == "mine"


@pytest.mark.parametrize(
    ("data_set", "rows", "sentence"),
    [
        ("gsm8k", [], "has no rows in train"),
        ("gsm8k", [{"problem": "1"}], "has no column answer in train, only problem"),
        ("math_lvl3to5", ROWS, "has no column level and no solution in train"),
        ("evaluation_suite", ROWS, "has no aime24, amc, math500, minerva, olympiad_bench, only train"),
        ("gsm8k", [{"problem": "1", "answer": None}], "has no usable problem for train.parquet (no answer)"),
    ],
)
def test_a_source_that_does_not_fit_ends_with_a_sentence_and_leaves_nothing(tmp_path, capsys, data_set, rows, sentence):
    source = json_lines(tmp_path / "source/train.jsonl", rows)
    assert command(data_set, source, tmp_path / "new/out") == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.startswith(f"gmpo_verl: --source={source}")
    assert error.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_a_set_without_a_place_on_the_hub_says_where_it_is(tmp_path, capsys):
    assert main(["evaluation_suite", "--out", str(tmp_path / "out")]) == 2
    assert "clone https://github.com/sail-sg/understand-r1-zero" in capsys.readouterr().err


def test_templates_without_a_place_for_images_are_refused_for_figures(tmp_path, source, capsys):
    assert command("geometry3k", source, tmp_path / "out", "--template", "r1") == 2
    assert "write --template=easy_r1" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_ends_with_a_sentence(tmp_path, source, capsys):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file/below"):
        assert command("gsm8k", source, out) == 2
        assert f"--out={out}" in capsys.readouterr().err


@pytest.mark.parametrize("failing", [1, 2])
def test_a_disk_that_fills_up_leaves_the_earlier_files_as_they_were(tmp_path, source, monkeypatch, capsys, failing):
    out = tmp_path / "out"
    folder = saved_folder(tmp_path / "set", {"test": ROWS[:2], "train": ROWS})
    command("gsm8k", folder, out)
    before = {name: (out / name).read_bytes() for name in names_below(out)}
    calls = 0
    fsync = os.fsync

    def full(descriptor):
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(preparation.os, "fsync", full)
    assert command("gsm8k", folder, out) == 2
    assert "cannot be written (No space left on device)" in capsys.readouterr().err
    assert {name: (out / name).read_bytes() for name in names_below(out)} == before


def test_an_interrupt_leaves_nothing(tmp_path, source, monkeypatch):
    def interrupted(*arguments, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(preparation, "verl_row", interrupted)
    assert command("gsm8k", source, tmp_path / "new/out") == 130
    assert not (tmp_path / "new").exists()
