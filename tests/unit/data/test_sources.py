import json

import pytest
from small_sources import json_lines, parquet_file, saved_folder

from gmpo_verl.data.sources import open_source
from gmpo_verl.errors import UserError

ROWS = [{"problem": "1+1", "answer": "2"}, {"problem": "2+2", "answer": "4"}]


def all_rows(source):
    return {split.name: list(split.read()) for split in source.splits}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


@pytest.mark.parametrize("name", ["train.parquet", "train.jsonl", "train.json"])
def test_the_same_rows_come_out_of_every_kind_of_file(tmp_path, name):
    path = tmp_path / name
    if path.suffix == ".parquet":
        parquet_file(path, ROWS)
    elif path.suffix == ".jsonl":
        json_lines(path, ROWS)
    else:
        path.write_text(json.dumps(ROWS, indent=2))
    source = open_source(str(path))
    assert all_rows(source) == {"train": ROWS}
    assert source.splits[0].count == 2
    assert source.splits[0].columns == ("problem", "answer")


def test_a_json_file_may_hold_an_object_a_line(tmp_path):
    path = json_lines(tmp_path / "train.json", ROWS)
    assert all_rows(open_source(str(path))) == {"train": ROWS}


def test_the_same_rows_come_out_of_a_folder_saved_by_datasets(tmp_path):
    folder = saved_folder(tmp_path / "set", {"train": ROWS, "test": ROWS[:1]})
    assert all_rows(open_source(str(folder))) == {"train": ROWS, "test": ROWS[:1]}


def test_one_data_set_of_a_saved_folder_is_a_split_of_its_name(tmp_path):
    folder = saved_folder(tmp_path / "set", {"train": ROWS})
    assert all_rows(open_source(str(folder / "train"))) == {"train": ROWS}


def test_a_folder_of_files_is_a_split_a_file_and_shards_follow_each_other(tmp_path):
    parquet_file(tmp_path / "set/data/train-00000-of-00002.parquet", ROWS[:1])
    parquet_file(tmp_path / "set/data/train-00001-of-00002.parquet", ROWS[1:])
    parquet_file(tmp_path / "set/data/test-00000-of-00001.parquet", ROWS)
    source = open_source(str(tmp_path / "set"))
    assert [(split.name, list(split.read())) for split in source.splits] == [
        ("test", ROWS),
        ("train", ROWS[:1]),
        ("train", ROWS[1:]),
    ]


def test_a_key_that_some_lines_lack_is_null_there(tmp_path):
    path = json_lines(tmp_path / "train.jsonl", [{"problem": "1+1"}, ROWS[1]])
    assert all_rows(open_source(str(path)))["train"] == [{"problem": "1+1", "answer": None}, ROWS[1]]


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99, -8])
def test_an_arrow_file_that_is_cut_anywhere_is_refused(tmp_path, keep):
    folder = saved_folder(tmp_path / "set", {"train": [{"problem": "x" * 1000, "answer": "1"}] * 500})
    (arrow,) = folder.rglob("*.arrow")
    data = arrow.read_bytes()
    # -8: only the mark of the end is missing, as after a cut between two batches
    arrow.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    with pytest.raises(UserError, match=r"^--source=.*/set cannot be read \(train/data-.*arrow is cut off\)"):
        open_source(str(folder))


def test_a_saved_folder_without_its_arrow_file_is_refused(tmp_path):
    folder = saved_folder(tmp_path / "set", {"train": ROWS})
    (arrow,) = folder.rglob("*.arrow")
    arrow.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        open_source(str(folder))


@pytest.mark.parametrize("keep", [0, 4, 0.5, 0.99])
def test_a_parquet_file_that_is_cut_is_refused(tmp_path, keep):
    path = parquet_file(tmp_path / "train.parquet", ROWS * 100)
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    with pytest.raises(UserError, match=r"^--source=.* cannot be read \(.+\): write a file that is whole"):
        open_source(str(path))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"problem": "1", "answer": 1}\n{"problem": ', "line 2 is not JSON"),
        ('{"problem": "1"}\n[1]\n', "entry 2 is not a JSON object"),
        ("[1, 2]", "entry 1 is not a JSON object"),
        ("[{}, ", "Expecting value"),
    ],
)
def test_json_that_is_none_is_refused_with_the_place(tmp_path, text, reason):
    path = tmp_path / "train.jsonl"
    path.write_text(text)
    with pytest.raises(UserError, match=reason):
        open_source(str(path))


def test_a_file_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_bytes('{"problem": "é"}'.encode("latin-1"))
    with pytest.raises(UserError, match="utf-8"):
        open_source(str(path))


def test_a_folder_that_is_no_data_set_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(UserError, match=r"is no data set: write a folder saved by datasets"):
        open_source(str(tmp_path))


@pytest.mark.parametrize("given", ["/nowhere/at/all", "./a/b", "a/b.parquet", "plain", "a/b/c"])
def test_what_cannot_be_an_id_of_the_hub_is_not_looked_up_there(given):
    with pytest.raises(UserError, match=f"^--source={given} does not exist"):
        open_source(given)


def test_a_hub_that_is_switched_off_is_told_apart_from_a_wrong_name(monkeypatch):
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"^--source=somebody/something is not here, and the hub cannot be reached"):
        open_source("somebody/something")
