"""Several nodes on one machine, for tests: each has its own network, processes, host name, /tmp and /dev/shm.

A node is a process that holds Linux namespaces. When it ends, everything of the node ends with it: the kernel kills the
processes in it and removes its network link and its mounts. Nothing is made outside of the nodes, so there is nothing
else to remove. Needs root, util-linux and iproute2.

By hand: `python tests/cluster/namespaces.py up [--nodes 2]`, then `... run n1 COMMAND`, then `... down`.
"""

import argparse
import contextlib
import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from gmpo_verl.supervisor.prctl import tied_to

TOOLS = ("unshare", "nsenter", "ip", "mount", "hostname")
OWN_FOLDERS = ("/tmp", "/dev/shm")  # empty on each node, in memory
_NETWORK = "10.213.7"
_SWITCH = "switch"
_NEW = ("--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc")
# Where the code and its interpreter stand.
_CODE = (Path(__file__).resolve().parents[2], Path(sys.prefix), Path(sys.base_prefix))
_STATE = Path(tempfile.gettempdir()) / "gmpo-nodes.json"
_BEGIN_SECONDS = 30

# What a node's first process does. It reaps orphans, as a machine's init does; the node is ready when READY is there.
_INIT = """
set -e
mount --make-rprivate /
{mounts}
hostname {name}
mount --bind {hosts} /etc/hosts
ip link set lo up
mount -t sysfs sysfs /sys || true
touch {ready}
trap : CHLD
while :; do sleep 3600 & wait $! || true; done
"""


@dataclass(frozen=True)
class Node:
    """One of the nodes. `pid`: its first process, as seen from outside; `pid` is 1 inside."""

    name: str  # also its host name, which every node can resolve
    address: str
    pid: int

    def command(self, argv: Sequence[str | Path]) -> list[str]:
        """The command line that runs `argv` on this node, in the same working directory."""
        here = f"--wd={os.getcwd()}"
        return ["nsenter", f"--target={self.pid}", "--all", here, "--", *map(str, argv)]

    def start(self, argv: Sequence[str | Path], **options: Any) -> "subprocess.Popen[Any]":
        """Start `argv` on this node. Its process is `inner`'s; a signal to the one returned here does not reach it."""
        if cwd := options.pop("cwd", None):
            argv = ["env", "-C", cwd, *argv]
        return subprocess.Popen(self.command(argv), **options)

    def run(self, argv: Sequence[str | Path], **options: Any) -> "subprocess.CompletedProcess[Any]":
        """Run `argv` on this node to its end; the options are those of `subprocess.run`."""
        if cwd := options.pop("cwd", None):
            argv = ["env", "-C", cwd, *argv]
        return subprocess.run(self.command(argv), **options)

    def processes(self) -> list[psutil.Process]:
        """Everything that runs on this node, its first process and that one's sleep left out."""
        kept = {self.pid, *(child.pid for child in psutil.Process(self.pid).children() if child.name() == "sleep")}
        mine = _namespace(self.pid)
        return [p for p in psutil.process_iter() if p.pid not in kept and _namespace(p.pid) == mine and _lives(p)]

    def power_off(self) -> None:
        """End the node and all that runs on it at once, as a machine does whose power fails."""
        with contextlib.suppress(psutil.NoSuchProcess):
            first = psutil.Process(self.pid)
            first.kill()
            with contextlib.suppress(psutil.TimeoutExpired):
                first.wait(10)


def inner(entered: "subprocess.Popen[Any]") -> psutil.Process:
    """The process on the node that `Node.start` started; signals go to this one."""
    end = time.monotonic() + _BEGIN_SECONDS
    while time.monotonic() < end:
        if children := psutil.Process(entered.pid).children():
            return children[0]
        time.sleep(0.01)
    raise AssertionError("the command did not start on its node")


def missing() -> str | None:
    """Why there can be no nodes here; None if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if absent := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"not installed: {', '.join(absent)} (apt-get install iproute2 util-linux)"
    probe = subprocess.run(
        ["unshare", *_NEW, "ip", "link", "add", "bridge", "type", "bridge"],
        capture_output=True,
        text=True,
    )
    return None if probe.returncode == 0 else f"namespaces are not allowed here: {probe.stderr.strip()}"


@contextlib.contextmanager
def nodes(
    count: int = 2,
    shared: Sequence[Path | str] = (),
    own: Sequence[str] = OWN_FOLDERS,
    network: str = _NETWORK,
) -> Iterator[list[Node]]:
    """`count` nodes n1, n2, ... that reach each other; when the block ends everything in them is killed.

    Args:
        own: folders (there must be such folders) that are empty at first and each node's own.
        shared: folders beneath one of `own` that all nodes see, as on a shared file system. What is not in one of `own`
            (the home folder, say), the checkout and the virtual environment are shared anyway.
        network: the first three numbers of the nodes' addresses.
    """
    made: list[Node] = []
    try:
        up(made, count, shared, own, network, tied=True)
        yield made[1:]
    finally:
        down(made)


def up(
    made: list[Node],
    count: int,
    shared: Sequence[Path | str] = (),
    own: Sequence[str] = OWN_FOLDERS,
    network: str = _NETWORK,
    tied: bool = False,
) -> None:
    """Make a switch and the nodes, and append each to `made` as soon as it is there.

    Args:
        tied: whether they end with this process, however it ends.
    """
    names = [_SWITCH, *(f"n{number}" for number in range(1, count + 1))]
    with tempfile.TemporaryDirectory(prefix="gmpo-nodes-", dir="/run") as folder:
        hosts = Path(folder) / "hosts"
        lines = ["127.0.0.1 localhost", *(f"{network}.{number} {name}" for number, name in enumerate(names) if number)]
        hosts.write_text("\n".join(lines) + "\n")
        for number, name in enumerate(names):
            mounts = _mount_commands(Path(folder) / f"{name}-stage", [*shared, *_CODE], own)
            made.append(Node(name, f"{network}.{number}", _hold(name, hosts, mounts, tied)))
    _connect(made)


def down(made: Sequence[Node]) -> None:
    for node in reversed(made):
        node.power_off()


def _hold(name: str, hosts: Path, mounts: Iterable[str], tied: bool) -> int:
    """Start a node's first process and return its pid as seen from here, once its mounts stand."""
    ready, errors = hosts.parent / name, hosts.parent / f"{name}-errors"
    script = _INIT.format(mounts="\n".join(mounts), name=name, hosts=hosts, ready=ready)
    with errors.open("w") as stderr:
        outer = subprocess.Popen(
            ["unshare", *_NEW, "bash", "-c", script],
            stdin=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=functools.partial(tied_to, os.getpid()) if tied else None,
        )
    end = time.monotonic() + _BEGIN_SECONDS
    while not ready.exists():
        if outer.poll() is not None or time.monotonic() > end:
            outer.kill()
            raise RuntimeError(f"the node {name} did not come up: {errors.read_text()}")
        time.sleep(0.02)
    return psutil.Process(outer.pid).children()[0].pid


def _mount_commands(stage: Path, shared: Sequence[Path | str], own: Sequence[str]) -> Iterator[str]:
    """Empty folders in memory, with the shared ones put back in their places."""
    for empty in own:
        folders = [str(path) for folder in shared if (path := Path(folder).resolve()).is_relative_to(empty)]
        places = {folder: f"{stage}{empty.replace('/', '-')}-{index}" for index, folder in enumerate(folders)}
        for folder, place in places.items():
            yield f"mkdir {place} && mount --bind {shlex.quote(folder)} {place}"
        yield f"mount -t tmpfs -o mode=1777 tmpfs {empty}"
        for folder, place in places.items():
            yield f"mkdir -p {shlex.quote(folder)} && mount --move {place} {shlex.quote(folder)}"


def _connect(made: Sequence[Node]) -> None:
    """A bridge on the switch and a link from it to each node, whose end is eth0."""
    switch, *others = made
    on_switch = ["nsenter", f"--target={switch.pid}", "--net", "ip", "link"]
    _run([*on_switch, "add", "bridge", "type", "bridge"])
    _run([*on_switch, "set", "bridge", "up"])
    for node in others:
        _run([*on_switch, "add", node.name, "type", "veth", "peer", "name", "eth0", "netns", str(node.pid)])
        _run([*on_switch, "set", node.name, "master", "bridge", "up"])
        _run(node.command(["ip", "address", "add", f"{node.address}/24", "dev", "eth0"]))
        _run(node.command(["ip", "link", "set", "eth0", "up"]))


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _namespace(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description="Several nodes on this machine, until they are taken down.")
    actions = parser.add_subparsers(dest="action", required=True)
    make = actions.add_parser("up", help="make nodes n1, n2, ...")
    make.add_argument("--nodes", type=int, default=2)
    make.add_argument("--shared", nargs="*", default=[], metavar="DIR", help="folders in /tmp that all nodes see")
    run = actions.add_parser("run", help="run a command on a node, say: run n1 bash")
    run.add_argument("node")
    run.add_argument("argv", nargs=argparse.REMAINDER)
    actions.add_parser("down", help="kill everything on the nodes, and the nodes")
    given = parser.parse_args()
    made = [Node(**node) for node in json.loads(_STATE.read_text())] if _STATE.exists() else []
    if given.action == "up":
        if why_not := missing() or ("there are nodes already: take them down first" if made else None):
            sys.exit(why_not)
        try:
            up(made, given.nodes, given.shared)
        finally:
            _STATE.write_text(json.dumps([asdict(node) for node in made]))
        print(*(f"{node.name}  {node.address}" for node in made[1:]), sep="\n")
    elif given.action == "run":
        (node,) = [node for node in made if node.name == given.node] or sys.exit(f"there is no node {given.node}")
        return node.run(given.argv).returncode
    else:
        down(made)
        _STATE.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
