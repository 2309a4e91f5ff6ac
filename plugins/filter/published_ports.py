# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx publishes on its host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def published_ports(
    listeners: Iterable[Mapping[str, Any]], listen_address: str, *, portal: Iterable[object], direct: object = 0
) -> list[str]:
    """Address and port of the host and port of the container, as Docker takes them.

    By its own loopback addresses a machine gets to a container by way of the bridge's gateway. Where addresses matter,
    what is published is IPv4 only, or IPv6 from anywhere would come that way, too. They always matter to the portal.

    :param listeners: DICOM listeners; with ``allowed``, addresses matter to them
    :param listen_address: address of the host, or empty for all of them
    :param portal: ports of HTTPS; 0 for none
    :param direct: port that goes straight to Orthanc; 0 for none
    """
    all_ipv4 = listen_address or "0.0.0.0"
    found = [(all_ipv4, port) for port in portal if int(str(port))]
    found += [(all_ipv4 if each.get("allowed") else listen_address, each["port"]) for each in listeners]
    if int(str(direct)):
        found.append((listen_address, direct))
    return [f"{address}:{port}:{port}" if address else f"{port}:{port}" for address, port in found]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"published_ports": published_ports}
