"""`trainer.fork_workers`: Ray's workers as forks of one process that has imported everything."""

import os
from pathlib import Path
from typing import Any

from gmpo_verl.fork_server.start import EXECUTABLE, start
from gmpo_verl.supervisor.temp_dir import TEMP_DIR
from gmpo_verl.trainer.ray_cluster import names_a_cluster


def why_not(config: Any) -> str | None:
    """The option because of which workers cannot be forks, None where they can."""
    if config.trainer.device != "cpu":
        return f"trainer.device={config.trainer.device} (an accelerator does not survive a fork)"
    if names_a_cluster(config):
        return "ray_kwargs.ray_init.address or RAY_ADDRESS (that cluster's workers are started elsewhere)"
    if config.actor_rollout_ref.rollout.full_determinism:
        return "actor_rollout_ref.rollout.full_determinism=true (a fork cannot get another PYTHONHASHSEED)"
    return None


def are_forked(config: Any) -> bool:
    return config.trainer.fork_workers in (True, "auto") and why_not(config) is None


def start_early(config: Any) -> None:
    """Start the server where the option asks for it; it imports while this process checks the run and starts Ray."""
    temp_dir = os.environ.get(TEMP_DIR)
    if are_forked(config) and temp_dir and not config.dry_run:
        os.environ[EXECUTABLE] = str(start(Path(temp_dir)))
