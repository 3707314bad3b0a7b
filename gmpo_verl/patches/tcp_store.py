"""The store at which ranks meet listens at their address alone.

torch 2.13's `init_process_group` starts its TCPStore on every network of the machine, whatever address it is given
(distributed/rendezvous.py:193), and whoever reaches it may read and write it. TCPStore takes a socket that listens
already: here it gets one that is bound to the address that the other ranks are told.
"""

import contextlib
import importlib
import socket
from typing import Any

MODULE = "torch.distributed.rendezvous"  # in its package the name is a function's
_BACKLOG = 2048  # ranks that ask at the same moment; torch's own


def install() -> None:
    """Once a process: in training workers from `gmpo_verl.worker`, in vLLM's as a plug-in."""
    rendezvous: Any = importlib.import_module(MODULE)
    if not getattr(rendezvous.TCPStore, "at_its_address", False):
        rendezvous.TCPStore = _at_its_address(rendezvous.TCPStore)


def _at_its_address(store: Any) -> Any:
    def make(host_name: str, port: int, *args: Any, is_master: bool = False, **kwargs: Any) -> Any:
        if is_master and "master_listen_fd" not in kwargs:
            # Taken: by another store of this process, which torch lets both use. No address of this node: as before.
            with contextlib.suppress(OSError):
                kwargs["master_listen_fd"] = _listen(host_name.strip("[]"), port)
        return store(host_name, port, *args, is_master=is_master, **kwargs)

    vars(make)["at_its_address"] = True
    return make


def _listen(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG).detach()
