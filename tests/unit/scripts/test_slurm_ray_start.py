"""How a node of a job starts Ray."""

import importlib
import socket
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from slurm_job import SCRIPTS

sys.path.append(str(SCRIPTS))
ray_start = importlib.import_module("ray_start")
reach = importlib.import_module("reach")
environment = importlib.import_module("environment")


def command(role: str, gpus: int = 8, device: str = "cuda", **ray_init: int) -> list[str]:
    trainer = {"device": device, "n_gpus_per_node": 2}
    config = OmegaConf.create({"trainer": trainer, "ray_kwargs": {"ray_init": ray_init}})
    folder = Path("/tmp/job")
    made: list[str] = ray_start.ray_command(role, "10.0.0.1:20017", "10.0.0.2", "n2", gpus, folder, config)
    return made


def test_the_head_listens_where_the_others_look_for_it() -> None:
    assert "--head" in command("head") and "--port=20017" in command("head")
    assert "--address=10.0.0.1:20017" in command("worker") and "--head" not in command("worker")


@pytest.mark.parametrize("role", ["head", "worker"])
def test_two_jobs_can_share_a_node(role: str) -> None:
    made = command(role)
    assert "--temp-dir=/tmp/job/ray" in made
    for free in ("--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"):
        assert free in made


def test_no_dashboard_and_no_client_server_is_started() -> None:
    assert "--include-dashboard=false" in command("head")
    module, _, function = ray_start.RAY_ENVIRONMENT["RAY_START_HOOK"].rpartition(".")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize(
    "gpus, device, option",
    [(8, "cuda", "--num-gpus=8"), (3, "cpu", "--num-gpus=3"), (0, "cpu", "--num-gpus=2")],
)
def test_gpus_are_the_allocations_or_logical(gpus: int, device: str, option: str) -> None:
    assert option in command("worker", gpus, device)


def test_gpus_that_slurm_does_not_know_of_are_left_to_ray() -> None:
    assert not [word for word in command("worker", 0, "cuda") if word.startswith("--num-gpus")]


def test_few_allocated_cores_do_not_keep_a_run_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "4")
    assert "--num-cpus=48" in command("worker", 8)
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "128")
    assert "--num-cpus=128" in command("worker", 8)


def test_the_configurations_counts_of_ray_are_each_nodes() -> None:
    made = command("worker", num_cpus=7, object_store_memory=5)
    assert "--num-cpus=7" in made and "--object-store-memory=5" in made


def test_a_head_is_there_gone_or_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert reach.answers(address) is True
    assert reach.answers(address) is False
    assert reach.answers("nowhere.invalid:1") is None


def test_a_nodes_address_is_the_one_towards_the_head() -> None:
    assert reach.own_address("127.0.0.1:20017") == "127.0.0.1"


def test_slurms_names_for_other_makers_gpus_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("ROCR_VISIBLE_DEVICES", "0,1")
    environment.drop_other_makers()
    assert "ROCR_VISIBLE_DEVICES" not in environment.os.environ
    assert environment.os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
