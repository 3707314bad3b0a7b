"""The Ray cluster that a run joins: whether it is there, is large enough, and has this package on every node."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gmpo_verl.errors import UserError
from gmpo_verl.supervisor.restarts import RESTART
from gmpo_verl.trainer import status
from gmpo_verl.trainer.preflight.batches import rollout_gpus, world_size
from gmpo_verl.trainer.preflight.devices import CPUS_PER_ROLLOUT, CPUS_PER_WORKER
from gmpo_verl.trainer.ray_cluster import cluster_address

_CONNECT_SECONDS = 5.0
_PROBE_SECONDS = 90.0  # a probe takes 4 s; Ray itself would try for minutes
# Ray's patience with a cluster of which this machine is no node, and with a token that is refused.
_RAY_SECONDS = {"RAY_gcs_server_request_timeout_seconds": "15"}
# What an earlier run held is free some seconds after its end; nodes of a cluster that has just been started come in.
_PATIENCE_SECONDS = 20.0
_PATIENCE_OF_A_RESTART_SECONDS = 600.0  # for a lost node to be back
_PAUSE_SECONDS = 3.0
_PACKAGES = ("gmpo_verl", "verl", "ray", "torch")
_HOST_AND_PORT = re.compile(r"(?P<host>\[[^]]+\]|[^:/\s]+):(?P<port>\d{1,5})")


class Finding(str):
    """A sentence about the cluster; `may_pass`: what it says may be otherwise a little later."""

    may_pass = False


class Passing(Finding):
    may_pass = True


def check_cluster(config: DictConfig) -> None:
    """Return when the cluster that the run is to join can run it; at once where the run has its own.

    What a little patience may mend is asked for again for a while, for longer where the run is restarted.

    Raises:
        UserError: with all that is wrong, a sentence each.
    """
    address = cluster_address(config)
    if address is None:
        return
    restarted = os.environ.get(RESTART, "0") != "0"
    end = time.monotonic() + (_PATIENCE_OF_A_RESTART_SECONDS if restarted else _PATIENCE_SECONDS)
    said = ""
    while findings := list(_findings(config, address)):
        if time.monotonic() > end or not (restarted or all(finding.may_pass for finding in findings)):
            raise UserError("\n".join(["this configuration cannot run:", *(f"  - {finding}" for finding in findings)]))
        if str(findings[0]) != said:
            said = str(findings[0])
            status.notify("stage", text=f"waiting: {said}")
        time.sleep(_PAUSE_SECONDS)


def _findings(config: DictConfig, address: str) -> Iterator[Finding]:
    if reason := unreachable(address):
        yield Finding(reason)
        return
    with tempfile.NamedTemporaryFile(prefix=".seen-by-all-nodes-", dir=_existing(Path(config.run_dir))) as mark:
        answer = _probe(address, [mark.name, *_local_paths(config)])
    if isinstance(answer, str):
        yield Finding(answer)
        return
    yield from size_findings(config, address, answer)
    here = {package: _version(package) for package in _PACKAGES}
    here["Python"] = ".".join(map(str, sys.version_info[:2]))
    for node in answer["nodes"]:
        if sentence := node_finding(node, here, mark.name, str(config.run_dir)):
            yield Finding(sentence)


def unreachable(address: str) -> str:
    """Why nobody can answer at the address, in a sentence; empty where somebody does."""
    if address == "auto":
        return ""
    match = _HOST_AND_PORT.fullmatch(address)
    if match is None:
        return (
            f"ray_kwargs.ray_init.address={address} is not of the form HOST:PORT: write the head's address and the "
            "port that `ray start --head` was given, 6379 by default."
        )
    try:
        socket.create_connection((match["host"].strip("[]"), int(match["port"])), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        return (
            f"ray_kwargs.ray_init.address={address} does not answer ({getattr(error, 'strerror', None) or error}): "
            "start the cluster first (scripts/ray/start_head.sh), or write the address that its head has."
        )
    return ""


def _probe(address: str, paths: list[str]) -> dict[str, Any] | str:
    """What `cluster_probe` says of the cluster, or the sentence to tell the user where it cannot be asked."""
    question = json.dumps({"packages": _PACKAGES, "paths": paths})
    command = [sys.executable, "-m", "gmpo_verl.trainer.cluster_probe", address]
    try:
        end = subprocess.run(
            command,
            input=question,
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            env=_RAY_SECONDS | os.environ,
        )
    except subprocess.TimeoutExpired:
        return (
            f"ray_kwargs.ray_init.address={address} does not answer as a Ray cluster within {_PROBE_SECONDS:.0f} s: "
            "write the address of a Ray head, and see that this machine is one of the cluster's nodes "
            "(scripts/ray/join.sh)."
        )
    for line in reversed(end.stdout.splitlines()):
        if line.startswith('{"nodes"'):
            answer: dict[str, Any] = json.loads(line)
            return answer
    return _why_no_answer(address, end.stdout + end.stderr)


def _why_no_answer(address: str, output: str) -> str:
    if "AuthenticationError" in output or "InvalidAuthToken" in output or "Unauthenticated" in output:
        return (
            f"ray_kwargs.ray_init.address={address} refuses this command's token: set RAY_AUTH_MODE=token and "
            "RAY_AUTH_TOKEN_PATH to the file with the cluster's token, as its nodes were started with."
        )
    if "node_ip_address" in output or "No node info found" in output or "raylet" in output:
        return (
            f"ray_kwargs.ray_init.address={address} is a cluster of which this machine is no node: join it first "
            "(scripts/ray/join.sh), or start the run on one of its nodes (scripts/ray/submit.sh)."
        )
    lines = [line for line in output.splitlines() if line.strip()]
    last = lines[-1].strip().rstrip(".") if lines else "no reason given"
    return f"ray_kwargs.ray_init.address={address} cannot be joined: {last}."


def size_findings(config: DictConfig, address: str, answer: dict[str, Any]) -> Iterator[Finding]:
    """What the nodes lack against what verl will reserve: workers in equal numbers on each."""
    workers, wanted = config.trainer.n_gpus_per_node, config.trainer.nnodes
    cpus = CPUS_PER_WORKER * workers
    fitting = [node for node in answer["nodes"] if node["gpus"] >= workers and node["cpus"] >= cpus]
    if len(fitting) < wanted:
        there = ", ".join(f"{n['address']} with {n['gpus']:.0f} and {n['cpus']:.0f}" for n in answer["nodes"])
        yield Passing(
            f"trainer.nnodes={wanted} with trainer.n_gpus_per_node={workers} needs {wanted} nodes of {workers} GPUs "
            f"and {cpus} CPUs (logical ones) and {address} has {len(fitting)} (GPUs and CPUs: {there or 'no node'}): "
            "start more nodes, or with more --num-gpus and --num-cpus, or write smaller numbers."
        )
        return
    total, beside = world_size(config), rollout_gpus(config)
    storage = OmegaConf.select(config, "transfer_queue.backend.SimpleStorage.num_data_storage_units") or 0
    everything = {"GPU": total + beside, "CPU": CPUS_PER_WORKER * total + CPUS_PER_ROLLOUT * beside + storage}
    for name, needed in everything.items():
        if answer["free"][name] < needed:
            yield Passing(
                f"ray_kwargs.ray_init.address={address} has {answer['free'][name]:.0f} {name}s free and the run takes "
                f"{needed}: wait for what else runs there, or start more nodes."
            )


def node_finding(node: dict[str, Any], here: dict[str, str | None], mark: str, run_dir: str) -> str:
    """What is wrong with a node, in a sentence; empty where nothing is."""
    name = f"the Ray node {node['address']}"
    if "error" in node:
        return f"{name} starts no worker ({node['error']}): look into its logs, or stop it."
    versions = node["versions"]
    different = [
        f"{package} {versions[package] or 'missing'}" for package in here if versions[package] != here[package]
    ]
    if different or not node["plugin"]:
        wanted = ", ".join(f"{package} {number}" for package, number in here.items())
        return (
            f"{name} has {', '.join(different) or 'no entry point of gmpo_verl in verl.plugins'} where this machine "
            f"has {wanted}: start Ray there from the same environment, at the same path (scripts/setup.sh)."
        )
    if mark in node["unseen"]:
        return f"{name} does not see run_dir={run_dir}: name a folder on a file system that all nodes share."
    if node["unseen"]:
        return f"{name} does not see {node['unseen'][0]}: put it on a file system that all nodes share."
    return ""


def _local_paths(config: DictConfig) -> list[str]:
    """The model and the data, where they are files of this machine."""
    from gmpo_verl.trainer.preflight.data import absolute, file_names

    names = [absolute(name) for key in ("train_files", "val_files") for name in file_names(config, f"data.{key}")]
    names.append(str(config.actor_rollout_ref.model.path))
    return [name for name in names if os.path.isabs(name) and os.path.exists(name)]


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.is_dir())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
