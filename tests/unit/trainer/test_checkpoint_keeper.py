"""What happens to a checkpoint between verl's save and the next."""

import shutil
from collections import namedtuple

import pytest
from checkpoint_folders import write_checkpoint

from gmpo_verl.trainer.checkpoints import disk_room
from gmpo_verl.trainer.checkpoints.keeper import CheckpointKeeper
from gmpo_verl.trainer.checkpoints.markers import marker_of, newest_complete, saved_steps
from gmpo_verl.trainer.guards import TrainingStoppedError
from gmpo_verl.trainer.metrics_log import MetricsLog

CONTENTS = ("model", "optimizer", "extra")
ALL_FREE = namedtuple("usage", "free")


def keeper(checkpoints, keep=2, estimate=None, **options):
    return CheckpointKeeper(checkpoints, keep, CONTENTS, estimate, **options)


class Tracking:
    def log(self, data, step):
        pass


def test_a_checkpoint_is_complete_once_its_steps_row_is_on_disk(tmp_path):
    order = []
    kept = keeper(tmp_path, settle=lambda: order.append(("settled", newest_complete(tmp_path))))

    def after_row(step, data):
        order.append(("row", (tmp_path / "metrics.jsonl").read_text().count("\n")))
        kept.row_written(step, data)
        order.append(("marked", newest_complete(tmp_path)))

    log = MetricsLog(Tracking(), tmp_path / "metrics.jsonl", after_row)
    write_checkpoint(tmp_path, 1)
    kept.saved(1)
    assert newest_complete(tmp_path) == 0
    log.log({"val-core/x/acc/mean@4": 0.25, "val-core/y/acc/mean@4": 0.75, "val-core/x/reward/mean@4": 9}, 1)
    assert order == [("row", 1), ("settled", 0), ("marked", 1)]
    assert marker_of(tmp_path / "global_step_1").accuracy == 0.5


def test_the_row_of_another_step_completes_nothing(tmp_path):
    kept = keeper(tmp_path)
    write_checkpoint(tmp_path, 2)
    kept.saved(2)
    kept.row_written(1, {})
    assert newest_complete(tmp_path) == 0
    kept.row_written(2, {})
    assert newest_complete(tmp_path) == 2


def test_an_older_checkpoint_goes_when_the_newer_is_complete_and_not_before(tmp_path):
    kept = keeper(tmp_path, keep=1)
    for step in (1, 2):
        write_checkpoint(tmp_path, step)
        kept.saved(step)
        assert saved_steps(tmp_path) == list(range(step, 0, -1))
        kept.row_written(step, {})
    assert saved_steps(tmp_path) == [2]


def test_files_of_ranks_that_cannot_be_seen_stop_the_run(tmp_path):
    folder = write_checkpoint(tmp_path, 1)
    (folder / "actor" / "optim_world_size_2_rank_1.pt").unlink()
    with pytest.raises(TrainingStoppedError, match=r"lacks actor/optim_world_size_2_rank_1\.pt: write a trainer\.def"):
        keeper(tmp_path).saved(1)
    CheckpointKeeper(tmp_path, 1, ("model", "extra"), None).saved(1)


def test_room_is_asked_for_the_size_of_the_newest_checkpoint_or_of_the_estimate(tmp_path, monkeypatch):
    kept = keeper(tmp_path / "checkpoints", estimate=3e9)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: ALL_FREE(2e9))
    assert kept.shortage() == f"a checkpoint takes 3.1 GB and {tmp_path / 'checkpoints'} has 2.0 GB free"
    assert keeper(tmp_path / "checkpoints").shortage() == ""
    write_checkpoint(tmp_path / "checkpoints", 1)
    kept.saved(1)
    kept.row_written(1, {})
    assert kept.shortage() == ""
    size = marker_of(tmp_path / "checkpoints" / "global_step_1").size
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: ALL_FREE(1.04 * size))
    assert "a checkpoint takes 0.0 MB" in kept.shortage()


def test_room_is_measured_where_the_folder_will_be(tmp_path):
    assert disk_room.shortage(tmp_path / "not" / "yet", 1) == ""
    assert "has" in disk_room.shortage(tmp_path / "not" / "yet", 1e18)
