"""The environment and arguments with which a run starts its Ray."""

import os
import stat
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from gmpo_verl.trainer import ray_cluster


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """A copy that the functions under test may write to."""
    monkeypatch.setattr(os, "environ", {"GMPO_TEMP_DIR": str(tmp_path)})
    return os.environ


def config(**ray_init):
    return OmegaConf.create({"run_dir": "run", "trainer": {"device": "cpu"}, "ray_kwargs": {"ray_init": ray_init}})


def test_a_local_cluster_has_a_token_of_its_own_that_others_cannot_read(environment, tmp_path):
    ray_cluster.give_ray_a_token(config())
    token = tmp_path / "ray_token"
    assert environment["RAY_AUTH_MODE"] == "token"
    assert environment["RAY_AUTH_TOKEN_PATH"] == str(token)
    assert len(token.read_text()) == 64
    assert stat.S_IMODE(token.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "variables, options",
    [
        ({"RAY_ADDRESS": "head:6379"}, {}),
        ({"RAY_AUTH_MODE": "disabled"}, {}),
        ({}, {"address": "head:6379"}),
    ],
)
def test_the_users_cluster_keeps_the_users_token(environment, tmp_path, variables, options):
    environment |= variables | {"HOME": str(tmp_path / "home")}
    before = dict(environment)
    ray_cluster.give_ray_a_token(config(**options))
    assert environment == before
    assert not (tmp_path / "ray_token").exists()


@pytest.mark.parametrize("place", ["home", "named", "variable"])
def test_a_users_cluster_gets_the_token_that_is_in_one_of_rays_places(environment, tmp_path, place):
    file = tmp_path / ".ray" / "auth_token"
    file.parent.mkdir()
    file.write_text("abc")
    ways = {"home": {"HOME": tmp_path}, "named": {"RAY_AUTH_TOKEN_PATH": file}, "variable": {"RAY_AUTH_TOKEN": "abc"}}
    environment |= {"HOME": "/nowhere"} | {name: str(value) for name, value in ways[place].items()}
    before = dict(environment)
    ray_cluster.give_ray_a_token(config(address="head:6379"))
    assert environment == before | {"RAY_AUTH_MODE": "token"}


def test_rays_session_stands_in_the_runs_folder_unless_the_user_names_a_place(tmp_path):
    own = {"num_cpus": 4, "address": "local", "_temp_dir": str(tmp_path / "ray")}
    assert ray_cluster.ray_init_arguments(config(num_cpus=4)) == own
    assert ray_cluster.ray_init_arguments(config(_temp_dir="/elsewhere"))["_temp_dir"] == "/elsewhere"


def test_a_cluster_that_is_there_gets_its_address_and_no_sizes(environment):
    sizes = {"num_cpus": 16, "num_gpus": 1, "object_store_memory": 10**9}
    arguments = ray_cluster.ray_init_arguments(config(address="head:6379", include_dashboard=False, **sizes))
    assert set(arguments) == {"address", "include_dashboard", "runtime_env"}
    assert arguments.address == "head:6379"
    environment["RAY_ADDRESS"] = "other:1"
    assert ray_cluster.ray_init_arguments(config()).address == "other:1"
    assert ray_cluster.ray_init_arguments(config(address="local")).address == "local"


def test_workers_elsewhere_get_the_runs_environment_and_no_secret(environment):
    environment |= {"WANDB_API_KEY": "secret", "HF_TOKEN": "secret", "RAY_AUTH_TOKEN": "secret", "OMP_NUM_THREADS": "3"}
    ray_cluster.prepare_environment(config())
    environment["WANDB_RUN_ID"] = "abc"
    given = {"runtime_env": {"env_vars": {"TQ_NUM_THREADS": "7"}, "working_dir": "."}}
    runtime_env = ray_cluster.ray_init_arguments(config(address="head:6379", **given)).runtime_env
    assert runtime_env.working_dir == "."
    assert runtime_env.env_vars.OMP_NUM_THREADS == "3" and runtime_env.env_vars.TORCH_COMPILE_DISABLE == "1"
    assert runtime_env.env_vars.WANDB_RUN_ID == "abc" and runtime_env.env_vars.TQ_NUM_THREADS == "7"
    assert "secret" not in str(runtime_env) and "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO" in runtime_env.env_vars


@pytest.mark.parametrize("ray_kwargs", [None, "x", {"ray_init": None}, {"ray_init": 3}])
def test_options_of_the_wrong_kind_name_no_cluster_and_are_left_to_the_checks(ray_kwargs):
    assert ray_cluster.cluster_address(OmegaConf.create({"ray_kwargs": ray_kwargs})) is None


@pytest.mark.parametrize("address, expected", [(None, "0"), ("local", "0"), ("head:6379", None)])
def test_a_cluster_of_the_runs_own_listens_on_loopback(environment, address, expected):
    ray_cluster.keep_ray_to_this_machine(config(address=address))
    assert environment.get("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER") == expected


def test_rays_word_for_loopback_is_still_this_variable():
    code = "import ray; print(ray.util.get_node_ip_address())"
    variables = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "PATH": "/usr/bin"}
    end = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    assert end.stdout.strip() == "127.0.0.1"


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
