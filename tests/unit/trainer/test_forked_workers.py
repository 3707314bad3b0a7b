"""Workers are forks where nothing speaks against it."""

import os

import pytest
from omegaconf import OmegaConf, open_dict

from gmpo_verl.fork_server.start import EXECUTABLE
from gmpo_verl.trainer import forked_workers, ray_cluster

AGAINST = {
    "trainer.device": "cuda",
    "ray_kwargs.ray_init.address": "head:6379",
    "actor_rollout_ref.rollout.full_determinism": True,
}


@pytest.fixture
def started(monkeypatch, tmp_path):
    """The folders in which servers would have been started."""
    folders = []
    monkeypatch.setattr(os, "environ", {"GMPO_TEMP_DIR": str(tmp_path)})
    monkeypatch.setattr(forked_workers, "start", lambda folder: folders.append(folder) or folder / "python")
    return folders


def changed(composed, **values):
    config = composed.copy()
    with open_dict(config):
        for key, value in values.items():
            OmegaConf.update(config, key, value, force_add=True)
    return config


def test_ray_starts_its_workers_through_the_executable(composed, started, tmp_path):
    forked_workers.start_early(composed)
    assert started == [tmp_path]
    assert os.environ[EXECUTABLE] == str(tmp_path / "python")
    assert ray_cluster.ray_init_arguments(composed).runtime_env.py_executable == str(tmp_path / "python")


def test_a_python_of_the_users_stays(composed, started):
    config = changed(composed, **{"ray_kwargs.ray_init.runtime_env.py_executable": "my python"})
    forked_workers.start_early(config)
    assert ray_cluster.ray_init_arguments(config).runtime_env.py_executable == "my python"


@pytest.mark.parametrize("option", AGAINST)
def test_what_speaks_against_it_is_named(composed, started, option):
    config = changed(composed, **{option: AGAINST[option]})
    assert (forked_workers.why_not(config) or "").startswith(option)
    forked_workers.start_early(config)
    assert not started


@pytest.mark.parametrize("option", ["trainer.fork_workers=false", "dry_run=true"])
def test_no_server_where_it_has_no_use(composed, started, option):
    key, _, value = option.partition("=")
    forked_workers.start_early(changed(composed, **{key: value == "true"}))
    assert not started
