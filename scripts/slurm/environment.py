"""What a step of a Slurm job finds in its environment."""

import os
import socket

_NODES_SECONDS = 600.0  # an image that is fetched first can take minutes


def drop_other_makers() -> None:
    """Slurm names a job's GPUs in the variables of every maker of GPUs, and verl refuses two of them at once."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        for name in ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
            os.environ.pop(name, None)


def node_name() -> str:
    """As Slurm calls this node."""
    return os.environ.get("SLURMD_NODENAME") or socket.gethostname()


def node_seconds() -> float:
    """How long the nodes wait for each other."""
    return float(os.environ.get("GMPO_NODES_SECONDS") or _NODES_SECONDS)
