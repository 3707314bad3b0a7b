"""A Ray cluster of two nodes as a user makes one with scripts/ray, and runs on it."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from namespaces import Node
from small_job import SMALL

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts" / "ray"
SMALL_STORE = "--object-store-memory=300000000"  # bytes; the nodes share one machine's memory

TWO_NODES = ("trainer.nnodes=2", "trainer.n_gpus_per_node=1")


@dataclass
class Cluster:
    """The first node is the head; the others may join. `home` is a home folder that the nodes share."""

    nodes: list[Node]
    home: Path

    @property
    def head(self) -> str:
        return self.nodes[0].address

    @property
    def address(self) -> str:
        return f"{self.head}:6379"

    @property
    def environment(self) -> dict[str, str]:
        """What a user's shell has: nothing of Ray's or gloo's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "GLOO_", "GMPO_"))}
        return kept | {"HOME": str(self.home), "HF_HUB_OFFLINE": "1", "GMPO_CACHE": str(self.home / "cache")}

    @property
    def options(self) -> dict[str, Any]:
        # Files, not pipes: Ray's daemons would hold a pipe open.
        return {"env": self.environment, "stdin": subprocess.DEVNULL, "cwd": ROOT}

    def script(self, node: Node, name: str, *arguments: str, timeout: float = 120) -> tuple[int, str]:
        """Exit code and output of one of scripts/ray on a node."""
        log = self.home / f"{name}-{node.name}.log"
        with log.open("w") as output:
            command = ["bash", SCRIPTS / name, *arguments]
            end = node.run(command, stdout=output, stderr=subprocess.STDOUT, timeout=timeout, **self.options)
        return end.returncode, log.read_text()

    def train(self, node: Node, log: Path, *arguments: str) -> "subprocess.Popen[Any]":
        """Start the training command on a node; its output goes to `log`."""
        command = [sys.executable, "-m", "gmpo_verl.main_ppo", *SMALL, *arguments]
        with log.open("w") as output:
            return node.start(command, stdout=output, stderr=subprocess.STDOUT, **self.options)


def titles(node: Node) -> list[str]:
    """What runs on a node, by its titles."""
    found = []
    for process in node.processes():
        try:
            found.append(Path(f"/proc/{process.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip())
        except OSError:
            continue
    return found


def listening(node: Node) -> list[tuple[str, str]]:
    """Address and process of each TCP socket on which the node listens."""
    lines = node.run(["ss", "-ltnpH"], capture_output=True, text=True).stdout.splitlines()
    return [(line.split()[3], _process(line)) for line in lines]


def everywhere(sockets: Sequence[tuple[str, str]]) -> set[str]:
    """The processes that listen on every network of the node."""
    return {name for address, name in sockets if address.rpartition(":")[0] in ("*", "0.0.0.0", "[::]")}


def _process(line: str) -> str:
    match = re.search(r'\(\("([^"]*)"', line)
    return match[1] if match else ""
