# SPDX-License-Identifier: GPL-3.0-or-later
"""What a modality is: an entry of ``orthweb_modalities``, its defaults, and what is wrong with it.

All else reads complete entries, as :func:`modalities` makes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.names import ae_title_problem, host_name_problem
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.words import listed, port_problem, unknown_keys

SERVICES = ("echo", "store", "find", "find_worklist", "get", "move")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)


@dataclass(frozen=True)
class Modality:
    """An entry of ``orthweb_modalities``.

    :ivar name: part of the names of its certificate's files
    :ivar host: where the archive reaches it, with ``port``; empty if it does not
    :ivar allow: what it is allowed to ask of the archive
    :ivar tls: whether it calls the archive over TLS; its certificate is for that
    :ivar listener: where it calls the archive if it does so without TLS
    """

    name: str
    aet: str
    host: str = ""
    port: int = 104
    allow: tuple[str, ...] = ("echo", "store", "find", "get", "move")
    tls: bool = True
    listener: int = 104


KEYS = tuple(field.name for field in fields(Modality))


def modalities(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each with all its keys, for entries that are right."""
    complete = []
    for modality in (Modality(**entry) for entry in entries):
        # Key by key: dataclasses.asdict makes lists of the type that they have, and those of an inventory refuse that.
        values = {key: getattr(modality, key) for key in KEYS}
        ports = {key: int(str(values[key])) for key in ("port", "listener")}
        complete.append({**values, **ports, "allow": list(values["allow"])})
    return complete


def ipv4_network(host: object) -> str:
    """``192.0.2.7/32``, or empty if this is a name or another address."""
    try:
        return f"{IPv4Address(str(host))}/32"
    except AddressValueError:
        return ""


def modality_problems(entries: object, archive_aet: object) -> Iterator[str]:
    """Of the archive's AE title, and of each entry.

    :param entries: as ``orthweb_modalities`` has them
    :param archive_aet: the archive's own AE title
    """
    if problem := ae_title_problem(str(archive_aet)):
        yield f"orthweb_aet: {problem}"
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        yield "orthweb_modalities must be a list of entries, each with a name and an AE title (aet)."
        return
    if not entries:
        yield "orthweb_modalities is empty: add at least one entry; the first is used to check the archive."
    for number, entry in enumerate(entries, 1):
        where = f"orthweb_modalities, entry {number} ({entry.get('name', 'no name')}): "
        for problem in _entry_problems(entry):
            yield where + problem
        if number == 1 and entry.get("tls") is False:
            yield f"{where}the archive is checked over TLS with the first entry, so it must use TLS."
        for key in ("name", "aet"):
            if key in entry and [other.get(key) for other in entries].count(entry[key]) > 1:
                yield f"{where}{key} {entry[key]} is in more than one entry."


def _entry_problems(entry: Mapping[str, Any]) -> Iterator[str]:
    if not NAME.fullmatch(str(entry.get("name", ""))):
        yield "name must consist of lowercase letters, digits, hyphens and underscores."
    if problem := ae_title_problem(str(entry.get("aet", ""))):
        yield problem
    if problem := host_name_problem(str(entry.get("host", "localhost"))):
        yield problem
    if problem := port_problem(entry.get("port", Modality.port)):
        yield f"port is {problem}"
    if problem := unknown_keys(entry, KEYS):
        yield problem
    allow = entry.get("allow", [])
    if not isinstance(allow, (list, tuple)):
        yield f"allow is {allow!r}: use a list of {listed(SERVICES)}."
    elif never := [str(each) for each in allow if each not in SERVICES]:
        yield f"allow has {', '.join(never)}; choose of {listed(SERVICES)}."
    yield from _tls_problems(entry)


def _tls_problems(entry: Mapping[str, Any]) -> Iterator[str]:
    tls = entry.get("tls", True)
    if not isinstance(tls, bool):
        yield f"tls is {tls!r}: use true or false."
    elif not tls and not ipv4_network(entry.get("host")):
        yield (
            "tls is false, but host is not an IPv4 address: a listener without TLS accepts known addresses only, so "
            "set the address of the modality."
        )
    elif tls and "listener" in entry:
        yield "listener is the port for a modality without TLS: set tls: false, too, or remove it."
    if problem := port_problem(entry.get("listener", Modality.listener)):
        yield f"listener is {problem}"


def plain_port_problems(listeners: Sequence[Mapping[str, Any]], entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Of modalities without TLS that call a port with TLS.

    :param listeners: entries of ``orthweb_dicom_listeners`` that are right in themselves
    :param entries: those of ``orthweb_modalities`` that are right in themselves
    """
    with_tls = {str(listener["port"]) for listener in listeners if listener.get("tls", True)}
    for number, modality in enumerate(modalities(entries), 1):
        if not modality["tls"] and str(modality["listener"]) in with_tls:
            yield (
                f"orthweb_modalities, entry {number} ({modality['name']}): port {modality['listener']} uses TLS "
                "(orthweb_dicom_listeners), but this modality does not: choose another listener."
            )
