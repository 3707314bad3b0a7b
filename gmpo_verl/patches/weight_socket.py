"""Gives every run its own socket for the weight transfer to the rollout engine.

verl 0.9.1 names it /tmp/rl-colocate-zmq-<Ray job id>-replica-<n>-rank-<n>.sock (workers/rollout/vllm_rollout/
vllm_rollout.py:141 and utils.py:431) so that two runs do not share it; but the first job of every local Ray cluster has
the same id, 01000000. Two runs on one machine that transfer weights at the same moment then answer each other. Here the
socket stands in the run's temporary directory, on both sides; on a node without that, in a cluster that has been
started elsewhere, its name tells the cluster.
"""

import functools
import os
from pathlib import Path
from typing import Any

from gmpo_verl.own_node import CLUSTER
from gmpo_verl.supervisor.temp_dir import TEMP_DIR

SHARED = "ipc:///tmp/rl-colocate-zmq-"


def own_handle(handle: str) -> str:
    """The same name in the run's temporary directory, where this node has one, else with the cluster in it."""
    folder, cluster = os.environ.get(TEMP_DIR, ""), os.environ.get(CLUSTER)
    if not handle.startswith(SHARED):
        return handle
    if folder and Path(folder).is_dir():
        return f"ipc://{folder}/{handle.removeprefix('ipc:///tmp/')}"
    return handle.replace(SHARED, f"{SHARED}{cluster}-") if cluster else handle


def install() -> None:
    """Once a process: on the sending side from `gmpo_verl.worker`, on vLLM's from `install_in_vllm`."""
    from verl.workers.rollout.vllm_rollout import bucketed_weight_transfer as transfer

    for side in (transfer.BucketedWeightSender, transfer.BucketedWeightReceiver):
        if not getattr(side.__init__, "own_socket", False):
            side.__init__ = _with_own_handle(side.__init__)  # type: ignore[method-assign]


def install_in_vllm() -> None:
    """vLLM's side: entry point of the group `vllm.general_plugins`, so only where verl started the engine."""
    if "VERL_RAY_JOB_ID" in os.environ:
        install()


def _with_own_handle(init: Any) -> Any:
    @functools.wraps(init)
    def wrapped(self: Any, zmq_handle: str, *args: Any, **kwargs: Any) -> None:
        init(self, own_handle(zmq_handle), *args, **kwargs)

    vars(wrapped)["own_socket"] = True
    return wrapped
