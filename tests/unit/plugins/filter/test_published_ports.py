# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx publishes on its host."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.filter.published_ports import published_ports

OPEN: dict[str, Any] = {"port": 11112}
CLOSED: dict[str, Any] = {"port": "104", "allowed": ["192.0.2.0/24"]}


@pytest.mark.parametrize(
    ("listen_address", "ports"),
    [
        ("", ["0.0.0.0:443:443", "11112:11112", "0.0.0.0:104:104"]),
        ("192.0.2.1", ["192.0.2.1:443:443", "192.0.2.1:11112:11112", "192.0.2.1:104:104"]),
    ],
)
def test_where_addresses_matter_it_is_ipv4(listen_address: str, ports: list[str]) -> None:
    assert published_ports([OPEN, CLOSED], listen_address, portal=[443]) == ports


def test_0_is_no_port() -> None:
    assert published_ports([], "", portal=["443", 0, "0"]) == ["0.0.0.0:443:443"]


@pytest.mark.parametrize(("listen_address", "port"), [("", "8042:8042"), ("192.0.2.1", "192.0.2.1:8042:8042")])
def test_straight_to_orthanc(listen_address: str, port: str) -> None:
    assert published_ports([], listen_address, portal=[], direct="8042") == [port]
