"""A node that joins the head's Ray cluster, and leaves when the head has gone."""

import signal
import time
from argparse import Namespace
from types import FrameType
from typing import Any

from environment import node_name, node_seconds
from own_processes import OwnProcesses
from ray_start import RAY_ENVIRONMENT, ray_command
from reach import answers, own_address

from gmpo_verl.trainer.ray_cluster import prepare_environment

_LOOK_SECONDS = 1.0
# A head that refuses connections has gone; one that does not answer may come back, as long as Ray itself waits for it.
_REFUSALS, _SILENCE_SECONDS = 3, 60.0
_REJOIN_SECONDS = (2.0, 60.0)  # at first, at most


class Worker:
    """`run` is the step's whole life: 0 once the head has gone, 1 where it never came, 143 after SIGTERM."""

    def __init__(self, options: Namespace, config: Any) -> None:
        self._options, self._config = options, config
        self._stopped = False  # by Slurm
        self._dismissed = False  # by the batch script, because the first node's step has ended

    def run(self) -> int:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGUSR1, self._dismiss)
        with OwnProcesses() as processes:
            if not self._wait_for_head():
                return self._end("the head did not answer; this node leaves.", 1)
            pause, longest = _REJOIN_SECONDS
            while self._member(processes):
                # Ray has died here and the head is there: the run may be waiting for this node to come back.
                self._say(f"Ray ended on this node; it joins again in {pause:.0f} s.")
                processes.end(None)
                self._sleep(pause)
                pause = min(2 * pause, longest)
            return self._end("stopped.", 143) if self._stopped else self._end("the head has gone; this node leaves.", 0)

    def _wait_for_head(self) -> bool:
        end = time.monotonic() + node_seconds()
        while not self._over and not answers(self._options.address):
            if time.monotonic() > end:
                return False
            self._sleep(_LOOK_SECONDS)
        return True

    def _member(self, processes: OwnProcesses) -> bool:
        """Be a node of the cluster. Returns whether Ray ended here although the head is there."""
        if self._over:
            return False
        address = self._options.address
        mine = own_address(address)
        prepare_environment(self._config)
        command = ray_command("worker", address, mine, node_name(), self._options.gpus, processes.folder, self._config)
        ray = processes.start(command, RAY_ENVIRONMENT)
        refused, answered = 0, time.monotonic()
        while not self._over:
            self._sleep(_LOOK_SECONDS)
            processes.look()
            here = answers(address)
            refused = refused + 1 if here is False else 0
            answered = time.monotonic() if here is not None else answered
            if refused >= _REFUSALS or time.monotonic() - answered > _SILENCE_SECONDS:
                break
            if ray.poll() is not None and here:
                return True
        processes.end(ray)
        return False

    @property
    def _over(self) -> bool:
        return self._stopped or self._dismissed

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._over and time.monotonic() < end:
            time.sleep(min(_LOOK_SECONDS, seconds))

    def _end(self, sentence: str, code: int) -> int:
        self._say(sentence)
        return code

    def _say(self, sentence: str) -> None:
        print(f"slurm: {node_name()}: {sentence}", flush=True)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True

    def _dismiss(self, number: int, frame: FrameType | None) -> None:
        self._dismissed = True
