"""The ranks' store listens at the address that it is given."""

import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import torch.distributed as dist

from gmpo_verl.patches import tcp_store

rendezvous = sys.modules[tcp_store.MODULE]

CODE = """
import socket, sys, torch.distributed as dist
from gmpo_verl.patches import tcp_store
if sys.argv[1] == "patched":
    tcp_store.install()
    tcp_store.install()
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
for _ in range(2):
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=0, world_size=1)
    dist.destroy_process_group()
dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=0, world_size=1)
print(port, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how, loopback", [("plain", False), ("patched", True)])
def test_without_the_patch_it_listens_on_every_network_and_with_it_on_one(how, loopback):
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo"}
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    port = int(process.stdout.readline())
    addresses = listening(port)
    process.communicate()
    assert addresses and (addresses == {"0100007F"}) == loopback


def listening(port: int) -> set[str]:
    """The local addresses, in the kernel's hexadecimal, at which somebody listens."""
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [row.split() for table in tables for row in table]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}


def test_another_host_or_a_port_that_is_taken_is_left_to_torch(monkeypatch):
    calls = []
    monkeypatch.setattr(rendezvous, "TCPStore", lambda *args, **kwargs: calls.append(kwargs))
    tcp_store.install()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        rendezvous.TCPStore("127.0.0.1", taken.getsockname()[1], is_master=True)
    rendezvous.TCPStore("192.0.2.99", 1, is_master=True)
    rendezvous.TCPStore("127.0.0.1", 1, is_master=False, timeout=timedelta(seconds=1))
    assert [sorted(kwargs) for kwargs in calls] == [["is_master"], ["is_master"], ["is_master", "timeout"]]


def test_torch_still_takes_a_listening_socket():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port, descriptor = server.getsockname()[1], os.dup(server.fileno())
    store = dist.TCPStore("127.0.0.1", port, 1, True, timedelta(seconds=5), master_listen_fd=descriptor)
    store.set("key", "value")
    assert store.get("key") == b"value"
