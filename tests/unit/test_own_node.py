"""The network interface of a node's own address."""

import psutil
import pytest

from gmpo_verl.own_node import interface_of


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_loopback_is_found_by_its_addresses(address):
    name = interface_of(address)
    if name is None:
        pytest.skip(f"this machine has no {address}")
    assert address in [known.address for known in psutil.net_if_addrs()[name]]


def test_every_address_of_this_machine_has_its_interface():
    for name, addresses in psutil.net_if_addrs().items():
        for known in addresses:
            if known.family.name in ("AF_INET", "AF_INET6"):
                assert interface_of(known.address.partition("%")[0]) is not None, name


def test_an_address_of_another_machine_has_none():
    assert interface_of("192.0.2.99") is None
