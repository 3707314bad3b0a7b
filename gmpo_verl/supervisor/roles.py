"""The processes a run cannot do without, recognised by their titles."""

import contextlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from gmpo_verl.supervisor.process_tree import command_line, is_alive

# What the title says (Ray: `ray::Class` or `ray::Class.method`; vLLM: `VLLM::EngineCore`) and what a user calls it.
# Idle Ray workers (`ray::IDLE`), plain Ray tasks and Ray's agents come and go, and are not listed.
_FSDP_WORKERS = r"ray::(WorkerDict|FusedWorker|ActorRolloutRefWorker|DetachActorWorker|TrainingWorker)\b"
_TITLES = [
    (re.compile(r"ray::\w*TaskRunner"), "task runner"),
    (re.compile(_FSDP_WORKERS), "FSDP worker"),
    (re.compile(r"ray::\w*HttpServer"), "vLLM server"),
    (re.compile(r"VLLM::EngineCore"), "vLLM engine"),
    (re.compile(r"VLLM::Worker"), "vLLM worker"),
    (re.compile(r"ray::RewardLoopWorker"), "reward worker"),
    (re.compile(r"ray::\w*AgentLoopWorker"), "agent-loop worker"),
    (re.compile(r"ray::TransferQueueController"), "transfer queue's controller"),
    (re.compile(r"ray::SimpleStorageUnit"), "transfer queue's storage"),
    (re.compile(r"ray::\w*LoadBalancer"), "rollout load balancer"),
    (re.compile(r"ray::CheckpointEngineWorker"), "checkpoint-engine worker"),
    (re.compile(r"\S*/raylet( |$)"), "raylet"),
    (re.compile(r"\S*/gcs_server( |$)"), "Ray's control server (gcs_server)"),
]


def role_of(title: str) -> str | None:
    """What a process with this title or command line does in a run, None if the run can go on without it."""
    return next((role for pattern, role in _TITLES if pattern.match(title)), None)


@dataclass(frozen=True)
class Lost:
    """A process that ended though the run needed it."""

    role: str
    pid: int

    @property
    def is_closed_on_failure(self) -> bool:
        """Whether verl's task runner ends it when training fails: then its end is no cause."""
        return self.role.startswith("transfer queue")

    def __str__(self) -> str:
        return f"{self.role} (pid {self.pid})"


class RoleWatch:
    """Remembers the essential processes of a run and says which have ended.

    `wake_ups` are file descriptors that become readable when such a process ends, so that the first to end is noticed
    before those that follow it. Where the kernel has none (Linux before 5.3) the order is known to a poll only.
    """

    def __init__(self) -> None:
        self._watched: dict[psutil.Process, str] = {}
        self._parents: dict[psutil.Process, int] = {}
        self._wake_ups: dict[psutil.Process, int] = {}

    def discover(self, processes: Iterable[psutil.Process]) -> None:
        """Look for essential processes among `processes`; a title counts from when it is first seen.

        A fork has its parent's title until it has one of its own: of a raylet, any worker that it starts.
        """
        for process in processes:
            if process in self._watched:
                continue
            title = command_line(process)
            role = role_of(title)
            if role is not None and title != _parents_title(process):
                self._watched[process] = role
                with contextlib.suppress(psutil.Error):
                    self._parents[process] = process.ppid()
                with contextlib.suppress(OSError, AttributeError):
                    self._wake_ups[process] = os.pidfd_open(process.pid)

    def wake_ups(self) -> list[int]:
        return list(self._wake_ups.values())

    def lost(self) -> list[Lost]:
        """The essential processes that have ended since the last call, without those that ended with their parent."""
        gone = {process.pid: process for process in self._watched if not is_alive(process)}
        lost = [Lost(self._watched[p], pid) for pid, p in gone.items() if self._parents.get(p) not in gone]
        for process in gone.values():
            if (descriptor := self._wake_ups.pop(process, None)) is not None:
                os.close(descriptor)
            self._parents.pop(process, None)
            del self._watched[process]
        return lost


def _parents_title(process: psutil.Process) -> str | None:
    with contextlib.suppress(psutil.Error):
        parent = process.parent()
        return command_line(parent) if parent is not None else None
    return None
