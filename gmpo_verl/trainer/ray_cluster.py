"""How a run starts its Ray: its own local cluster in its own folder, or the cluster that the user names."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gmpo_verl.fork_server.start import EXECUTABLE
from gmpo_verl.library_settings import QUIET, WITHOUT_COMPILER
from gmpo_verl.supervisor.temp_dir import TEMP_DIR

ADDRESS_OPTION = "ray_kwargs.ray_init.address"


def give_ray_a_token(arguments: Sequence[str]) -> None:
    """Set up a token for a cluster of the run's own; to be called before anything imports Ray, which reads it then.

    Left to itself Ray 2.60 writes a token into the home folder when a local cluster starts, and then demands it of
    every later cluster. A cluster that the user names keeps the user's settings.
    """
    temp_dir = os.environ.get(TEMP_DIR)
    named = "RAY_ADDRESS" in os.environ or any(ADDRESS_OPTION in argument for argument in arguments)
    if temp_dir is None or named or "RAY_AUTH_MODE" in os.environ:
        return
    token = Path(temp_dir) / "ray_token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}


def prepare_environment(config: Any) -> None:
    """Environment that the driver's children, so Ray's workers too, inherit; what the user has set stays."""
    logs = Path(config.run_dir).resolve() / "logs"
    defaults = QUIET | {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DEDUP_LOGS": "0",
        "RAY_task_events_max_num_task_in_gcs": "1000",  # Ray's 100,000 let its control server grow 0.5 MB a round
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "TENSORBOARD_DIR": str(logs / "tensorboard"),
        "WANDB_DIR": str(logs),
    }
    if config.trainer.device == "cpu":
        # A dozen processes share the cores.
        defaults |= WITHOUT_COMPILER | {"OMP_NUM_THREADS": "1", "TQ_NUM_THREADS": "1"}
        if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
            # Ray counts the entries and finds fewer than its logical GPUs; CUDA ends the list at -1 and sees none.
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(["-1"] * (config.ray_kwargs.ray_init.get("num_gpus") or 1))
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def ray_init_arguments(config: Any) -> Any:
    """`ray_kwargs.ray_init`; Ray's session stands in the run's temporary directory unless the user names a place."""
    from omegaconf import OmegaConf

    arguments = OmegaConf.to_container(config.ray_kwargs.ray_init, resolve=True)
    assert isinstance(arguments, dict)
    temp_dir = os.environ.get(TEMP_DIR)
    if not names_a_cluster(config) and temp_dir:
        arguments.setdefault("_temp_dir", str(Path(temp_dir) / "ray"))
        if executable := os.environ.get(EXECUTABLE):
            runtime_env = arguments.setdefault("runtime_env", {})
            runtime_env["py_executable"] = runtime_env.get("py_executable") or executable
    return OmegaConf.create(arguments)


def names_a_cluster(config: Any) -> bool:
    """Whether the run joins a Ray cluster that is there already."""
    address = config.ray_kwargs.ray_init.get("address") or os.environ.get("RAY_ADDRESS")
    return bool(address) and address != "local"
