"""How a run starts its Ray: its own local cluster in its own folder, or the cluster that the user names."""

import os
import secrets
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from gmpo_verl.fork_server.start import EXECUTABLE
from gmpo_verl.library_settings import QUIET, WITHOUT_COMPILER
from gmpo_verl.supervisor.temp_dir import TEMP_DIR

# What `ray.init` takes for a new cluster alone; the nodes of another one have been started with theirs.
_OF_A_NEW_CLUSTER = ("num_cpus", "num_gpus", "resources", "labels", "object_store_memory")
# What a run settles for its processes beside `_settings`, or the user for the command.
_PASSED_ON = (
    *("VERL_FILE_LOGGER_PATH", "WANDB_RUN_ID", "WANDB_RESUME", "WANDB_MODE"),
    *("HF_HUB_OFFLINE", "HF_HOME", "GMPO_GRADERS"),
)
# Of Ray's own variables the one that workers read; its daemons have been started with theirs.
_OF_RAYS_WORKERS = "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"


def before_ray_is_imported(config: Any) -> None:
    """What Ray reads of the environment when it is imported."""
    give_ray_a_token(config)
    keep_ray_to_this_machine(config)


def give_ray_a_token(config: Any) -> None:
    """Set up the token for the run's Ray.

    Left to itself Ray 2.60 writes a token into the home folder when a local cluster starts, demands it of every later
    cluster, and does not send it when a program joins one. So a cluster of the run's own has a token of its own. One
    that is there already gets the token from Ray's places, where there is one; a cluster without token ignores it.
    """
    if "RAY_AUTH_MODE" in os.environ:
        return
    if names_a_cluster(config):
        in_a_file = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
        if "RAY_AUTH_TOKEN" in os.environ or in_a_file.is_file():
            os.environ["RAY_AUTH_MODE"] = "token"
        return
    temp_dir = os.environ.get(TEMP_DIR)
    if temp_dir is None:
        return
    token = Path(temp_dir) / "ray_token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}


def keep_ray_to_this_machine(config: Any) -> None:
    """Have a cluster of the run's own listen on loopback alone.

    Ray's servers, and those that verl, vLLM and TransferQueue start at Ray's address of the node, then bind 127.0.0.1.
    The variable is named after the systems on which this is Ray's default; its `_node_ip_address` refuses loopback.
    """
    if not names_a_cluster(config):
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


def prepare_environment(config: Any) -> None:
    """Environment that the driver's children, so Ray's workers too, inherit; what the user has set stays."""
    if config.trainer.device == "cpu" and os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        # Ray counts the entries and finds fewer than its logical GPUs; CUDA ends the list at -1 and sees none.
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(["-1"] * (config.ray_kwargs.ray_init.get("num_gpus") or 1))
    for name, value in _settings(config).items():
        os.environ.setdefault(name, value)


def _settings(config: Any) -> dict[str, str]:
    logs = Path(config.run_dir).resolve() / "logs"
    settings = QUIET | {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DEDUP_LOGS": "0",
        "RAY_task_events_max_num_task_in_gcs": "1000",  # Ray's 100,000 let its control server grow 0.5 MB a round
        "RAY_num_workers_soft_limit": "0",  # an idle worker ends: it would wake a hundred times a second for nothing
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "TENSORBOARD_DIR": str(logs / "tensorboard"),
        "WANDB_DIR": str(logs),
    }
    if config.trainer.device == "cpu":
        # A dozen processes share the cores.
        settings |= WITHOUT_COMPILER | {"OMP_NUM_THREADS": "1", "TQ_NUM_THREADS": "1"}
    return settings


def ray_init_arguments(config: Any) -> Any:
    """`ray_kwargs.ray_init` for `ray.init`.

    A cluster of the run's own stands in the run's temporary directory unless the user names a place. One that is there
    already gets no sizes, and its workers the environment that the run needs.
    """
    arguments = OmegaConf.to_container(config.ray_kwargs.ray_init, resolve=True)
    assert isinstance(arguments, dict)
    if address := cluster_address(config):
        arguments = {name: value for name, value in arguments.items() if name not in _OF_A_NEW_CLUSTER}
        runtime_env = dict(arguments.get("runtime_env") or {})
        runtime_env["env_vars"] = _environment_of_workers(config) | (runtime_env.get("env_vars") or {})
        return OmegaConf.create({**arguments, "address": address, "runtime_env": runtime_env})
    arguments |= {"address": "local"}  # Ray would look for a cluster, and may find what is left of a dead one
    temp_dir = os.environ.get(TEMP_DIR)
    if temp_dir:
        arguments.setdefault("_temp_dir", str(Path(temp_dir) / "ray"))
        if executable := os.environ.get(EXECUTABLE):
            runtime_env = arguments.setdefault("runtime_env", {})
            runtime_env["py_executable"] = runtime_env.get("py_executable") or executable
    return OmegaConf.create(arguments)


def cluster_address(config: Any) -> str | None:
    """HOST:PORT (or "auto") of the Ray cluster that the run joins; None where it has its own."""
    # Asked before the configuration has been checked: what stands on the way may be of any kind.
    address = OmegaConf.select(config, "ray_kwargs.ray_init.address") or os.environ.get("RAY_ADDRESS")
    return None if address in (None, "", "local") else str(address)


def names_a_cluster(config: Any) -> bool:
    """Whether the run joins a Ray cluster that is there already."""
    return cluster_address(config) is not None


def _environment_of_workers(config: Any) -> dict[str, str]:
    """What workers on other nodes cannot inherit from this process. Nothing secret: Ray shows it to who may look."""
    names = [name for name in (*_settings(config), *_PASSED_ON) if not name.startswith("RAY_")]
    return {name: os.environ[name] for name in (*names, _OF_RAYS_WORKERS) if name in os.environ}
