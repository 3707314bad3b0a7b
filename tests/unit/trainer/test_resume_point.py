"""Where a run goes on, whatever a crash has left in its folder of checkpoints."""

import pytest
from checkpoint_folders import write_checkpoint, write_rows

from gmpo_verl.trainer.checkpoints import resume_point
from gmpo_verl.trainer.checkpoints.markers import (
    flaw,
    folder_of,
    mark_complete,
    marker_of,
    newest_complete,
    saved_steps,
)


@pytest.fixture
def metrics(tmp_path):
    return tmp_path / "metrics.jsonl"


@pytest.fixture
def checkpoints(tmp_path):
    return tmp_path / "checkpoints"


def cleared(checkpoints, metrics):
    point = resume_point.find(checkpoints, metrics)
    resume_point.clear(checkpoints, metrics, point)
    return point


def test_nothing_saved_is_a_beginning(checkpoints, metrics):
    point = resume_point.find(checkpoints, metrics)
    assert (point.step, point.skipped) == (0, [])


def test_a_half_written_checkpoint_is_removed_and_verls_note_agrees(checkpoints, metrics):
    mark_complete(write_checkpoint(checkpoints, 2))
    write_checkpoint(checkpoints, 4)
    write_rows(metrics, {1: None, 2: None, 3: None})
    assert cleared(checkpoints, metrics).step == 2
    assert saved_steps(checkpoints) == [2]
    assert (checkpoints / "latest_checkpointed_iteration.txt").read_text() == "2"


def test_a_first_checkpoint_that_is_half_written_leaves_nothing_to_resume(checkpoints, metrics):
    write_checkpoint(checkpoints, 4)
    point = cleared(checkpoints, metrics)
    assert (point.step, saved_steps(checkpoints)) == (0, [])
    assert not (checkpoints / "latest_checkpointed_iteration.txt").exists()


def test_saved_and_logged_but_not_marked_is_whole(checkpoints, metrics):
    """A kill between the row and the marker; and runs of versions that knew no marker."""
    for step in (2, 4):
        write_checkpoint(checkpoints, step)
    write_rows(metrics, {1: None, 2: 0.25, 3: None, 4: None})
    assert newest_complete(checkpoints) == 0
    assert cleared(checkpoints, metrics).step == 4
    assert newest_complete(checkpoints) == 4
    assert marker_of(folder_of(checkpoints, 2)).accuracy == 0.25


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / "actor" / "optim_world_size_2_rank_1.pt").write_bytes(b"PK half an archive"),
        lambda folder: (folder / "actor" / "model_world_size_2_rank_1.pt").unlink(),
        lambda folder: (folder / "actor" / "fsdp_config.json").write_text("{"),
        lambda folder: (folder / "data.pt").unlink(),
        lambda folder: (folder.parent / "latest_checkpointed_iteration.txt").write_text("3"),
    ],
)
def test_what_may_be_cut_off_is_not_taken_for_whole(checkpoints, metrics, harm):
    write_rows(metrics, {2: None, 3: None, 4: None})
    harm(write_checkpoint(checkpoints, 4))
    assert cleared(checkpoints, metrics).step == 0
    assert saved_steps(checkpoints) == []


def test_damaged_checkpoints_are_put_aside_under_names_of_their_own(checkpoints, metrics):
    for _ in range(2):
        folder = write_checkpoint(checkpoints, 4)
        mark_complete(folder)
        (folder / "data.pt").write_bytes(b"")
        assert "data.pt" in flaw(folder)
        assert cleared(checkpoints, metrics).step == 0
    assert sorted(path.name for path in checkpoints.iterdir()) == ["damaged_global_step_4", "damaged_global_step_4-2"]
