"""Whether the head can be reached from this node, and from which of the node's addresses."""

import socket

_CONNECT_SECONDS = 5.0


def answers(address: str) -> bool | None:
    """Whether something listens at HOST:PORT; None where there was no answer at all (a lost or busy network)."""
    try:
        with socket.create_connection(_pair(address), timeout=_CONNECT_SECONDS):
            return True
    except ConnectionRefusedError:
        return False
    except OSError:
        return None


def own_address(address: str) -> str:
    """This node's address as seen from HOST:PORT."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_pair(address))  # sends nothing
        return str(probe.getsockname()[0])


def _pair(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
