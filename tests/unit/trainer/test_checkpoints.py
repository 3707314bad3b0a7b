"""A checkpoint is whole when its marker says so and its files agree."""

import json

import pytest
from checkpoint_folders import write_checkpoint

from gmpo_verl.trainer.checkpoints import markers as module
from gmpo_verl.trainer.checkpoints.markers import MARKER, flaw, mark_complete, marker_of, newest_complete, saved_steps


def test_without_a_marker_it_is_not_complete(tmp_path):
    folder = write_checkpoint(tmp_path, 3)
    assert flaw(folder) == "has no COMPLETE marker"
    assert marker_of(folder) is None
    assert newest_complete(tmp_path) == 0


def test_the_marker_lists_every_file_with_its_size(tmp_path):
    folder = write_checkpoint(tmp_path, 3)
    mark_complete(folder, 0.5)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    del files[MARKER]
    content = json.loads((folder / MARKER).read_text())
    assert {name: file["size"] for name, file in content["files"].items()} == {
        name: path.stat().st_size for name, path in files.items()
    }
    assert (content["step"], content["accuracy"]) == (3, 0.5)
    assert marker_of(folder).size == sum(path.stat().st_size for path in files.values())
    assert flaw(folder) == ""
    assert newest_complete(str(tmp_path)) == 3


def test_marking_again_says_the_same(tmp_path):
    folder = write_checkpoint(tmp_path, 3)
    (folder / f".{MARKER}.77.tmp").write_text("{")  # of a process that was killed
    mark_complete(folder)
    before = (folder / MARKER).read_text()
    mark_complete(folder)
    assert (folder / MARKER).read_text() == before


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda file: file.unlink(), "lacks actor/model_world_size_2_rank_1.pt (No such file or directory)"),
        (lambda file: file.write_bytes(file.read_bytes()[:100]), "has 100 bytes of actor/model_world_size_2_rank_1.pt"),
        (lambda file: file.write_bytes(file.read_bytes()[::-1]), "has another content in actor/model_world_size_2_r"),
    ],
)
def test_a_file_that_has_changed_is_named(tmp_path, harm, said):
    folder = write_checkpoint(tmp_path, 3)
    mark_complete(folder)
    harm(folder / "actor" / "model_world_size_2_rank_1.pt")
    assert flaw(folder).startswith(said)


def test_of_a_large_file_the_size_alone_is_held_against_the_marker(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHECKSUM_UP_TO", 10)
    folder = write_checkpoint(tmp_path, 3)
    mark_complete(folder)
    shard = folder / "actor" / "model_world_size_2_rank_1.pt"
    shard.write_bytes(shard.read_bytes()[::-1])
    assert flaw(folder) == ""
    (folder / "actor" / "huggingface" / "config.json").write_text("[]")
    assert "actor/huggingface/config.json" in flaw(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 3}', '{"files": {"a": {}}}', '{"step": 3}'])
def test_a_marker_that_cannot_be_read_marks_nothing(tmp_path, text):
    folder = write_checkpoint(tmp_path, 3)
    (folder / MARKER).write_text(text)
    assert flaw(folder) == "has a COMPLETE marker of no use"
    assert marker_of(folder) is None


def test_the_newest_whole_one_counts(tmp_path):
    for step in (9, 10, 20, 30):
        mark_complete(write_checkpoint(tmp_path, step))
    (tmp_path / "global_step_30" / MARKER).unlink()
    (tmp_path / "global_step_20" / "data.pt").unlink()
    (tmp_path / "damaged_global_step_40").mkdir()
    (tmp_path / "global_step_x").mkdir()
    assert saved_steps(tmp_path) == [30, 20, 10, 9]
    assert newest_complete(tmp_path) == 10


def test_a_folder_that_is_not_there_has_none(tmp_path):
    assert newest_complete(tmp_path / "none") == 0
