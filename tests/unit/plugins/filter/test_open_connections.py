# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections are counted as the kernel lists them."""

from __future__ import annotations

import socket
from pathlib import Path

from ansible_collections.cellcs.orthweb.plugins.filter.open_connections import open_connections


def tables() -> str:
    return Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()


def test_only_established_connections_to_the_ports_count() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as ipv4,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as ipv6,
    ):
        ports = [ipv4.getsockname()[1], str(ipv6.getsockname()[1])]
        assert open_connections(tables(), ports) == 0
        with socket.create_connection(("127.0.0.1", ports[0])), socket.create_connection(("::1", int(ports[1]))):
            assert open_connections(tables(), ports) == 2
            assert open_connections(tables(), ports[:1]) == 1
        assert open_connections(tables(), ports) == 0  # closing


def test_without_tables_there_are_none() -> None:
    assert open_connections("", [11112]) == 0
