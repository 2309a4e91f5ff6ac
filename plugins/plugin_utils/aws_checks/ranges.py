# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may connect to what: lists of networks by variable, and those of single DICOM listeners."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, ip_network
from typing import Any

from .network import network_problem
from .systems_manager import SYSTEMS_MANAGER

CONTROLLER = "orthweb_controller_ranges"
IF_MEANT = ", which is the whole Internet. If that is intended, set orthweb_allow_the_whole_internet: true."


def range_problems(
    ranges: Mapping[str, object],
    *,
    dicom_port: object,
    portal_ports: Sequence[object],
    connect_by: object,
    controller_address: str,
    whole_internet_allowed: bool,
) -> Iterator[str]:
    """Of who may connect.

    :param ranges: by the variable that has them; none if it is not set
    :param portal_ports: those that are open to ``orthweb_portal_ranges``
    :param controller_address: how a service on the Internet sees this machine; empty or nonsense if none has answered
    """
    purposes = {
        "orthweb_dicom_ranges": f"send DICOM to port {dicom_port}",
        "orthweb_portal_ranges": f"open the portal ({', '.join(map(str, portal_ports))})",
        CONTROLLER: "log in by SSH: the address of this controller as the Internet sees it",
    }
    for variable, networks in ranges.items():
        if networks is None and variable == CONTROLLER and connect_by == SYSTEMS_MANAGER:
            continue  # port 22 is closed in any case
        if networks is None:
            yield (
                f"{variable} is not set. It says who may {purposes[variable]}, as a list of networks, for example "
                f"{variable}: [198.51.100.0/24]. There is no default."
                f"{_suggestion(controller_address) if variable == CONTROLLER else ''}"
            )
        elif not isinstance(networks, (list, tuple)):
            yield f"{variable} must be a list of networks, for example [198.51.100.0/24]."
        else:
            yield from _entry_problems(variable, networks, whole_internet_allowed)
            if not networks and variable == CONTROLLER and connect_by == "public":
                yield (
                    f"{CONTROLLER} is empty, and orthweb_connect_by is public: nobody could log in to configure the "
                    "hosts. Add the address of this controller, or connect by systems_manager."
                )


def _suggestion(address: str) -> str:
    try:
        found = IPv4Address(address.strip())
    except ValueError:
        return ""
    return f" The Internet sees this machine as {found}: {CONTROLLER}: [{found}/32]."


def _entry_problems(variable: str, networks: Sequence[object], whole_internet_allowed: bool) -> Iterator[str]:
    for network in networks:
        if problem := network_problem(network):
            yield f"{variable}: {problem}"
        elif _is_whole_internet(network) and variable == CONTROLLER:
            yield (
                f"{variable}: port 22 is never opened to the whole Internet; use the address of this controller, or "
                "orthweb_connect_by: systems_manager, with which it is closed."
            )
        elif _is_whole_internet(network) and not whole_internet_allowed:
            yield f"{variable} has {network}{IF_MEANT}"


def open_listener_problems(listeners: Sequence[Mapping[str, Any]], whole_internet_allowed: bool) -> Iterator[str]:
    """Of listeners that are open to everybody.

    :param listeners: entries that are right in themselves; IPv6 is allowed in ``allowed``
    """
    for number, listener in enumerate([] if whole_internet_allowed else listeners, 1):
        for network in filter(_is_whole_internet, listener.get("allowed", [])):
            yield f"entry {number} (port {listener['port']}): allowed has {network}{IF_MEANT}"


def _is_whole_internet(network: object) -> bool:
    """Also where the prefix is written as a netmask."""
    return ip_network(str(network)).prefixlen == 0
