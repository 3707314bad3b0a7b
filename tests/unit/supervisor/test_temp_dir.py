"""The folder for a run's temporary things and the logs saved from it."""

import tempfile
from pathlib import Path

import pytest

from gmpo_verl.supervisor import temp_dir


def test_a_long_system_folder_is_avoided_because_of_rays_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert len(str(tmp_path)) > 24
    made = temp_dir.make_temp_dir()
    session = made / "ray" / "session_2026-11-20_12-38-32_142171_4194304" / "sockets" / "plasma_store"
    assert made.is_dir() and len(str(session)) <= 107
    temp_dir.remove_temp_dir(made)
    assert not made.exists()


def test_logs_are_kept_in_a_new_folder_each_time_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert temp_dir.keep_ray_logs(tmp_path, tmp_path / "kept") is None
    session = tmp_path / "ray" / "session_1"
    (session / "logs" / "old").mkdir(parents=True)
    (tmp_path / "ray" / "session_latest").symlink_to(session)
    for name in ("a.log", "b.log", "old/c.log", "empty.log"):
        (session / "logs" / name).write_text("" if name == "empty.log" else "0123456789")
    monkeypatch.setattr(temp_dir, "_LONGEST_LOG", 4)
    first = temp_dir.keep_ray_logs(tmp_path, tmp_path / "kept")
    assert first == tmp_path / "kept" / "ray-1"
    assert {str(f.relative_to(first)) for f in first.rglob("*.log")} == {"a.log", "b.log", "old/c.log"}
    assert (first / "old" / "c.log").read_text() == "6789"
    monkeypatch.setattr(temp_dir, "_ALL_LOGS", 6)
    second = temp_dir.keep_ray_logs(tmp_path, tmp_path / "kept")
    assert second == tmp_path / "kept" / "ray-2"
    assert sum(f.stat().st_size for f in second.rglob("*.log")) == 6
