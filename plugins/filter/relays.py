# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Orthanc may go: a port of nginx for each destination outside, so that Orthanc itself needs no way out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

# Below the ports that outgoing connections take, and above those that services are known by.
FIRST = 20000
COUNT = 12768


def is_address(host: object) -> bool:
    """Whether this is an IPv4 or IPv6 address, rather than a name."""
    try:
        ip_address(str(host))
    except ValueError:
        return False
    return True


def destination(host: object, port: object) -> str:
    """Host and port in one, as nginx takes them."""
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def relays(modalities: Iterable[dict[str, Any]], database: dict[str, Any], taken: Iterable[object]) -> dict[str, int]:
    """Port of nginx by destination (``host:port``), for each modality with a ``host`` and for a database with a name.

    A destination keeps its port while others come and go (but for the rare two that would have the same), and another
    destination has another one: while a change is half done, Orthanc reaches nobody rather than somebody else. A
    database with an address is not among them: its certificate is verified against what it is called, and an address
    cannot be given to nginx in its stead.

    :param modalities: complete entries
    :param database: ``orthweb_database``, or empty if the database is embedded
    :param taken: ports that nginx listens on for others
    """
    wanted = {destination(each["host"], each["port"]) for each in modalities if each.get("host")}
    if database.get("host") and not is_address(database["host"]):
        wanted.add(destination(database["host"], database.get("port", 5432)))
    busy = {int(str(port)) for port in taken}
    ports: dict[str, int] = {}
    for each in sorted(wanted):
        offset = int.from_bytes(sha256(each.encode()).digest()[:4], "big")
        ports[each] = next(port for step in range(COUNT) if (port := FIRST + (offset + step) % COUNT) not in busy)
        busy.add(ports[each])
    return ports


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"relays": relays, "is_address": is_address, "destination": destination}
