"""Start the server, and make the executable that stands in for Python."""

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gmpo_verl.fork_server import client

EXECUTABLE = "GMPO_FORK_EXECUTABLE"  # environment: what stands in for Python, where there is a server

# What the processes of a run import sooner or later. Not gmpo_verl.worker: it makes a process group.
MODULES = (
    "verl.workers.engine_workers",
    "vllm.v1.engine.core",
    "vllm.v1.worker.cpu_worker",
    "gmpo_verl.trainer.task_runner",
    "gmpo_verl.trainer.gmpo_trainer",
    "gmpo_verl.rewards.manager",
    "gmpo_verl.rollout.agent_loop",
    "gmpo_verl.rollout.server",
)


def start(folder: Path, modules: Sequence[str] = MODULES) -> Path:
    """The executable, in `folder`. The server imports on while this returns, and dies with this process."""
    address, executable = folder / "fork.sock", folder / "python"
    with socket.socket(socket.AF_UNIX) as listener, (folder / "fork_server.log").open("wb") as log:
        listener.bind(str(address))
        listener.listen(64)  # from now on: who comes before the end of the imports waits for it
        file = listener.fileno()
        server = [sys.executable, "-m", "gmpo_verl.fork_server.server", str(os.getpid()), str(file), *modules]
        environment = os.environ | {"SPT_NOENV": "1"}  # a fork's title leaves its environment in /proc readable
        subprocess.Popen(
            server, env=environment, pass_fds=[file], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    command = shlex.join([sys.executable, "-I", "-S", client.__file__, str(address)])
    executable.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    executable.chmod(0o700)
    return executable
