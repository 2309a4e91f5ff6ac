# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Orthanc may go: a port of nginx for each destination outside, so that Orthanc itself needs no way out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.plugin_utils.modalities import certificate_name, is_address

# Below the ports that outgoing connections take, and above those that services are known by.
FIRST = 20000
COUNT = 12768


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


def tls_relays(modalities: Iterable[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """What the certificate at each destination must be, for the destinations that are called over TLS.

    :param modalities: complete entries
    :return: by destination ``name``, ``ca`` (a path on the controller, empty for our own CA) and ``file``, the name of
        the CA's file for nginx
    """
    found = {}
    for each in modalities:
        if each["call_with_tls"]:
            given = str(each["ca_certificate"])
            path = str(Path(given).expanduser()) if given else ""
            file = f"modality-ca-{sha256(path.encode()).hexdigest()[:16]}.crt" if path else "clients-ca.crt"
            where = destination(each["host"], each["port"])
            found[where] = {"name": certificate_name(each), "ca": path, "file": file}
    return found


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"relays": relays, "tls_relays": tls_relays, "is_address": is_address, "destination": destination}
