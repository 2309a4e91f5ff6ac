# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils import host


def test_a_listening_socket_is_found_with_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = [listener for listener in host.listeners() if listener.port == port]
    assert [(listener.address, listener.pid) for listener in found] == [("127.0.0.1", os.getpid())]
    assert not [listener for listener in host.listeners() if listener.port == port]


def test_an_ipv6_socket_is_found() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        assert [listener.address for listener in host.listeners() if listener.port == port] == ["::1"]


def test_networks_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "route").write_text(
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "wg0\t0000110A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    assert host.ipv4_networks(tmp_path) == ["10.17.0.0/16", "192.0.2.0/24"]


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], "172.17.0.0/16"),
        (["172.17.4.0/24"], "10.0.0.0/8"),  # a part of it is taken
        (["172.16.0.0/12"], "10.0.0.0/8"),  # it is a part of what is taken
        (["172.16.0.0/12", "10.1.2.0/24"], None),
        (["fd00::/8"], "172.17.0.0/16"),
    ],
)
def test_the_first_network_that_meets_no_other(taken: list[str], expected: str | None) -> None:
    assert host.first_free_network(["172.17.0.0/16", "10.0.0.0/8"], taken) == expected


def test_free_disk_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert host.free_bytes(tmp_path / "not" / "there") == pytest.approx(host.free_bytes(tmp_path), rel=0.01)


def test_memory() -> None:
    assert host.memory_bytes() == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
