"""How a node's part of Ray is started."""

import os
import sys
from pathlib import Path
from typing import Any

# What its options cannot say: no server for Ray clients.
RAY_ENVIRONMENT = {"RAY_START_HOOK": "gmpo_verl.ray_start_hook.without_client_server"}
# Ray's CPUs are logical: they only place processes. A run has some that belong to no GPU, and a few beside each.
_CPUS, _CPUS_A_GPU = 16, 4


def ray_command(
    role: str, address: str, own_address: str, name: str, gpus: int, folder: Path, config: Any
) -> list[str]:
    """`ray start` for a node: the head, which is to answer at `address` (HOST:PORT), or one that joins it there.

    Args:
        gpus: that the job has on the node; 0: none, or unknown.
        folder: on the node's own disk, for Ray's session.
        config: the run's.
    """
    if role == "head":
        joined = ["--head", f"--port={address.rpartition(':')[2]}", "--include-dashboard=false"]
    else:
        joined = [f"--address={address}"]
    if not gpus and config.trainer.device == "cpu":
        gpus = config.trainer.n_gpus_per_node  # logical ones
    ray_init = config.ray_kwargs.ray_init
    allocated = int(os.environ.get("SLURM_CPUS_ON_NODE", 0))
    cpus = ray_init.get("num_cpus") or max(allocated, _CPUS + _CPUS_A_GPU * gpus)
    memory = ray_init.get("object_store_memory")
    return [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block"),
        *("--disable-usage-stats", "--log-color=false"),
        *joined,
        f"--node-ip-address={own_address}",
        f"--node-name={name}",
        f"--temp-dir={folder / 'ray'}",
        # Any free ports: another job may share the node.
        *("--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"),
        f"--num-cpus={cpus}",
        *([f"--num-gpus={gpus}"] if gpus else []),
        *([f"--object-store-memory={memory}"] if memory else []),
    ]
