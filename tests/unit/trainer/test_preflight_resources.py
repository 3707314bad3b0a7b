"""How much memory and disk is free."""

from gmpo_verl.trainer.preflight import resources


def test_free_memory_stays_below_a_containers_limit(monkeypatch, tmp_path):
    limit = tmp_path / "memory.max"
    limit.write_text("1000000\n")
    monkeypatch.setattr(resources, "_CGROUP_LIMIT", limit)
    assert resources.free_memory() == 1e6
    limit.write_text("max\n")
    assert resources.free_memory() > 1e6


def test_free_disk_is_that_of_the_nearest_existing_folder(tmp_path):
    assert abs(resources.free_disk(tmp_path / "a" / "b") - resources.free_disk(tmp_path)) < 1e9
