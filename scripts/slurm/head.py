"""The first node: Ray's head where there are other nodes, and the training."""

import signal
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path
from types import FrameType
from typing import IO, Any

from environment import node_name, node_seconds
from own_processes import OwnProcesses
from ray_start import RAY_ENVIRONMENT, ray_command
from reach import own_address

from gmpo_verl.trainer.checkpoints.markers import newest_complete
from gmpo_verl.trainer.ray_cluster import prepare_environment

_LOOK_SECONDS = 0.5
# Time for a run to say what has happened after its Ray has died.
_AFTER_RAY_SECONDS = 90.0
_SIGN_SECONDS = 5.0  # between signs of life to the batch script
_FAILED, _SAVED, _STOPPED = 1, 75, 128 + signal.SIGTERM


def training_command(overrides: list[str]) -> list[str]:
    return [sys.executable, "-m", "gmpo_verl.main_ppo", *overrides]


class Head:
    """`run` is the step's whole life; it returns the training's exit code."""

    def __init__(self, options: Namespace, config: Any) -> None:
        self._options, self._config = options, config
        self._stopped = False
        self._next_sign = 0.0
        self._ray: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # the batch script asks with a file
        before = self._saved_step()
        with OwnProcesses() as processes:
            environment = {}
            if len(self._options.nodes) > 1:
                environment = self._start_ray(processes)
            code = self._wait_for_nodes(processes) if self._ray is not None else None
            if code is None:
                code = self._train(processes, environment)
            processes.end(self._ray)
        if code == _SAVED and self._saved_step() == before:
            (self._options.folder / "no_step").touch()  # the batch script counts these
        return code

    def _start_ray(self, processes: OwnProcesses) -> dict[str, str]:
        """Start Ray's head; the environment in which the training finds it."""
        address = self._options.address
        mine = own_address(address)
        prepare_environment(self._config)
        command = ray_command("head", address, mine, node_name(), self._options.gpus, processes.folder, self._config)
        with self._log() as log:
            self._ray = processes.start(command, RAY_ENVIRONMENT, log)
        return {"RAY_ADDRESS": address}

    def _wait_for_nodes(self, processes: OwnProcesses) -> int | None:
        """None once all nodes are there, else the exit code."""
        names = self._options.nodes
        end = time.monotonic() + node_seconds()
        came = processes.folder / "nodes"
        came.touch()
        with self._log() as log:
            command = [sys.executable, str(Path(__file__).with_name("alive_nodes.py"))]
            waiter = processes.start([*command, self._options.address, str(len(names)), str(came)], {}, log)
        while waiter.poll() is None:
            self._look(processes)
            if self._stopped:
                return _STOPPED
            if self._asked("save"):
                return _SAVED
            if self._ray_ended():
                return self._failed("Ray did not start on this node")
            if time.monotonic() > end or self._asked("alone"):
                break
        missing = sorted(set(names) - set(came.read_text().split(",")))
        if not missing:
            return None
        when = "Slurm's step on the other nodes ended" if self._asked("alone") else f"within {node_seconds():.0f} s"
        listed = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
        return self._failed(f"{len(names) - len(missing)} of {len(names)} nodes came ({when}), not {listed}")

    def _train(self, processes: OwnProcesses, environment: dict[str, str]) -> int:
        if self._asked("save"):
            return _SAVED
        training = processes.start(training_command(self._options.overrides), environment)
        told_to_stop = False
        ray_ended: float | None = None
        while training.poll() is None:
            self._look(processes)
            if self._asked("save"):
                # Again and again: it counts once, and one that comes before the training listens is lost.
                training.send_signal(signal.SIGUSR1)
            if ray_ended is None and not self._stopped and self._ray_ended():
                ray_ended = time.monotonic()
                self._say("Ray's head ended; without it the run cannot go on.")
            too_late = ray_ended is not None and time.monotonic() - ray_ended > _AFTER_RAY_SECONDS
            if (self._stopped or too_late) and not told_to_stop:
                told_to_stop = True
                training.terminate()
        if self._stopped:
            return _STOPPED
        code = int(training.returncode)
        if ray_ended is not None and code in (0, _STOPPED):
            return _FAILED if code else 0
        return code if code >= 0 else 128 - code

    def _look(self, processes: OwnProcesses) -> None:
        time.sleep(_LOOK_SECONDS)
        processes.look()
        if time.monotonic() > self._next_sign:
            (self._options.folder / "alive").touch()
            self._next_sign = time.monotonic() + _SIGN_SECONDS

    def _log(self) -> IO[bytes]:
        """Where Ray on this node writes; what the training prints is the job's output."""
        return (self._options.folder / f"{node_name()}.log").open("ab")

    def _saved_step(self) -> int:
        return newest_complete(Path(self._config.trainer.default_local_dir))

    def _ray_ended(self) -> bool:
        return self._ray is not None and self._ray.poll() is not None

    def _asked(self, name: str) -> bool:
        """Whether the batch script, which runs on this node too, has left this word."""
        return (self._options.folder / name).exists()

    def _failed(self, reason: str) -> int:
        self._say(f"{reason}: look at the logs of the nodes in {self._options.folder}.")
        return _FAILED

    def _say(self, sentence: str) -> None:
        print(f"slurm: {node_name()}: {sentence}", flush=True)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True
