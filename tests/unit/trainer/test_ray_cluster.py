"""The environment and arguments with which a run starts its Ray."""

import os
import stat
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from gmpo_verl.trainer import ray_cluster


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """A copy that the functions under test may write to."""
    monkeypatch.setattr(os, "environ", {"GMPO_TEMP_DIR": str(tmp_path)})
    return os.environ


def config(**ray_init):
    return SimpleNamespace(
        run_dir="run", trainer=SimpleNamespace(device="cpu"), ray_kwargs=OmegaConf.create({"ray_init": ray_init})
    )


def test_a_local_cluster_has_a_token_of_its_own_that_others_cannot_read(environment, tmp_path):
    ray_cluster.give_ray_a_token([])
    token = tmp_path / "ray_token"
    assert environment["RAY_AUTH_MODE"] == "token"
    assert environment["RAY_AUTH_TOKEN_PATH"] == str(token)
    assert len(token.read_text()) == 64
    assert stat.S_IMODE(token.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "variables, arguments",
    [
        ({"RAY_ADDRESS": "head:6379"}, []),
        ({"RAY_AUTH_MODE": "disabled"}, []),
        ({}, ["+ray_kwargs.ray_init.address=head:6379"]),
    ],
)
def test_the_users_cluster_keeps_the_users_token(environment, tmp_path, variables, arguments):
    environment |= variables
    before = dict(environment)
    ray_cluster.give_ray_a_token(arguments)
    assert environment == before
    assert not (tmp_path / "ray_token").exists()


def test_rays_session_stands_in_the_runs_folder_unless_the_user_names_a_cluster_or_a_place(tmp_path):
    assert ray_cluster.ray_init_arguments(config(num_cpus=4)) == {"num_cpus": 4, "_temp_dir": str(tmp_path / "ray")}
    assert ray_cluster.ray_init_arguments(config(_temp_dir="/elsewhere")) == {"_temp_dir": "/elsewhere"}
    assert ray_cluster.ray_init_arguments(config(address="head:6379")) == {"address": "head:6379"}


def test_what_the_user_has_set_stays(environment):
    environment["OMP_NUM_THREADS"] = "2"
    ray_cluster.prepare_environment(config())
    assert environment["OMP_NUM_THREADS"] == "2"
    assert environment["TORCH_COMPILE_DISABLE"] == "1"
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.parametrize("given, expected", [("", "-1,-1"), ("0", "0"), (None, None)])
def test_hidden_gpus_stay_hidden_and_leave_ray_its_logical_ones(environment, given, expected):
    if given is not None:
        environment["CUDA_VISIBLE_DEVICES"] = given
    ray_cluster.prepare_environment(config(num_gpus=2))
    assert environment.get("CUDA_VISIBLE_DEVICES") == expected
