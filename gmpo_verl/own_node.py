"""What a Ray worker has to know of the node that it runs on, and of its cluster."""

import os

import psutil

CLUSTER = "GMPO_CLUSTER"  # environment: tells this Ray cluster from others on the same node


def settle_in() -> None:
    """Set it in the environment, which children inherit; what the user has set stays. Outside of Ray nothing is done.

    To be called before there is a process group: gloo takes the interface of the host's name otherwise, on many
    machines loopback, where a rank on another node cannot be reached and its peers wait for it beyond their timeout.
    """
    import ray

    if not ray.is_initialized():
        return
    address = ray.util.get_node_ip_address().strip("[]")
    if interface := interface_of(address):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)
    os.environ.setdefault("VLLM_HOST_IP", address)
    os.environ[CLUSTER] = ray.get_runtime_context().gcs_address.replace(":", "-")


def interface_of(address: str) -> str | None:
    """The network interface that has this address, None where none has it."""
    for name, addresses in psutil.net_if_addrs().items():
        if any(known.address.partition("%")[0] == address for known in addresses):
            return name
    return None
