# SPDX-License-Identifier: GPL-3.0-or-later
"""What a modality is: an entry of ``orthweb_modalities``, its defaults, and what is wrong with it.

All else reads complete entries, as :func:`modalities` makes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from ipaddress import AddressValueError, IPv4Address, ip_address
from pathlib import Path
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.names import ae_title_problem, host_name_problem
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.words import listed, port_problem, unknown_keys

SERVICES = ("echo", "store", "find", "find_worklist", "get", "move")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)


@dataclass(frozen=True)
class Modality:
    """An entry of ``orthweb_modalities``.

    :ivar name: in its certificate, and part of the names of the certificate's files
    :ivar further_aets: AE titles that it calls with beside ``aet``
    :ivar host: where the archive reaches it, with ``port``; empty if it does not
    :ivar allow: what it is allowed to ask of the archive
    :ivar tls: whether it calls the archive over TLS; its certificate is for that
    :ivar listener: where it calls the archive if it does so without TLS
    :ivar call_with_tls: whether the archive calls it over TLS
    :ivar certificate_name: the DNS name in its certificate; empty for ``host``
    :ivar ca_certificate: path of the CA's certificate on the controller; empty for the archive's own CA
    """

    name: str
    aet: str
    further_aets: tuple[str, ...] = ()
    host: str = ""
    port: int = 104
    allow: tuple[str, ...] = ("echo", "store", "find", "get", "move")
    tls: bool = True
    listener: int = 104
    call_with_tls: bool = False
    certificate_name: str = ""
    ca_certificate: str = ""


KEYS = tuple(field.name for field in fields(Modality))


def modalities(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each with all its keys, for entries that are right."""
    complete = []
    for modality in (Modality(**entry) for entry in entries):
        # Key by key: dataclasses.asdict makes lists of the type that they have, and those of an inventory refuse that.
        values = {key: getattr(modality, key) for key in KEYS}
        ports = {key: int(str(values[key])) for key in ("port", "listener")}
        lists = {key: list(values[key]) for key in ("allow", "further_aets")}
        complete.append({**values, **ports, **lists})
    return complete


def certificate_name(entry: Mapping[str, Any]) -> str:
    """The name that the archive looks for in the certificate that this complete entry shows when it is called."""
    return str(entry["certificate_name"] or entry["host"])


def has_certificate(entry: Mapping[str, Any]) -> bool:
    """Whether the archive's CA issues a certificate for this complete entry."""
    return bool(entry["tls"] or (entry["call_with_tls"] and not entry["ca_certificate"]))


def aets(entry: Mapping[str, Any]) -> list[str]:
    """The AE titles that it calls with, as Orthanc compares them: without the case of letters and outer spaces."""
    further = entry.get("further_aets", ())
    return [str(title).strip().upper() for title in (entry.get("aet", ""), *further)]


def calling_titles(complete: Iterable[Mapping[str, Any]], archive_aet: object, gateway: str = "") -> dict[str, Any]:
    """Which AE titles a client may call with, for nginx.

    :param complete: complete entries
    :param gateway: where connections from this machine to itself come from, as nginx sees them
    :return: ``by_certificate`` of the entry with that name; without a certificate ``by_address`` where an entry has
        that address as its host, and ``anywhere`` for all other addresses
    """
    by_certificate: dict[str, list[str]] = {}
    by_address: dict[str, list[str]] = {}
    anywhere: list[str] = []
    for entry in complete:
        if entry["tls"]:
            by_certificate[entry["name"]] = aets(entry)
        if not ipv4_network(entry["host"]):
            anywhere += aets(entry)
            continue
        loopback = IPv4Address(str(entry["host"])).is_loopback
        for address in {str(entry["host"]), *([gateway] if loopback and gateway else [])}:
            by_address[address] = by_address.get(address, []) + aets(entry)
    return {
        "called": str(archive_aet).strip(),
        "by_certificate": by_certificate,
        "by_address": by_address,
        "anywhere": anywhere,
    }


def is_address(host: object) -> bool:
    """Whether this is an IPv4 or IPv6 address, rather than a name."""
    try:
        ip_address(str(host))
    except ValueError:
        return False
    return True


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
        if problem := _destination_problem(entry, entries):
            yield where + problem
        if number == 1 and entry.get("tls") is False:
            yield f"{where}the archive is checked over TLS with the first entry, so it must use TLS."
        if "name" in entry and [other.get("name") for other in entries].count(entry["name"]) > 1:
            yield f"{where}name {entry['name']} is in more than one entry."
        for title in _repeated_aets(entry, entries):
            yield f"{where}AE title {title} is there more than once; upper and lower case are the same."


def _destination_problem(entry: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]) -> str:
    """nginx has one way to a host and port, whichever AE title is called there."""
    keys = ("call_with_tls", "certificate_name", "ca_certificate")

    def place(one: Mapping[str, Any]) -> tuple[str, str]:
        return str(one.get("host", "")), str(one.get("port", Modality.port))

    def called(one: Mapping[str, Any]) -> list[Any]:
        return [one.get(key) or "" for key in keys]

    for other in entries:
        if entry.get("host") and place(other) == place(entry) and called(other) != called(entry):
            return f"{other.get('name')} has the same host and port, but not the same {listed(keys)}."
    return ""


def _repeated_aets(entry: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]) -> list[str]:
    def readable(one: Mapping[str, Any]) -> bool:
        return isinstance(one.get("further_aets", ()), (list, tuple))

    everywhere = [title for other in entries if readable(other) for title in aets(other)]
    own = aets(entry) if readable(entry) else []
    return [title for title in dict.fromkeys(own) if title and everywhere.count(title) > 1]


def _entry_problems(entry: Mapping[str, Any]) -> Iterator[str]:
    if not NAME.fullmatch(str(entry.get("name", ""))):
        yield "name must consist of lowercase letters, digits, hyphens and underscores."
    if problem := ae_title_problem(str(entry.get("aet", ""))):
        yield problem
    further = entry.get("further_aets", [])
    if not isinstance(further, (list, tuple)):
        yield f"further_aets is {further!r}: use a list of AE titles."
    else:
        yield from (f"further_aets: {problem}" for title in further if (problem := ae_title_problem(str(title))))
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
    yield from _call_problems(entry)


def _call_problems(entry: Mapping[str, Any]) -> Iterator[str]:
    """Of how the archive calls it."""
    with_tls = entry.get("call_with_tls", False)
    given = [key for key in ("certificate_name", "ca_certificate") if entry.get(key)]
    if not isinstance(with_tls, bool):
        yield f"call_with_tls is {with_tls!r}: use true or false."
    elif not with_tls:
        if given:
            yield f"{listed(given)} is for a modality that is called over TLS: set call_with_tls: true, too."
    elif not entry.get("host"):
        yield "call_with_tls is for a modality that the archive calls: set its host, too, or remove it."
    elif not entry.get("certificate_name") and is_address(entry["host"]):
        yield (
            "host is an address, and a certificate is compared with a DNS name: set certificate_name to a name that is "
            "in the certificate of this modality."
        )
    if entry.get("certificate_name"):
        name = str(entry["certificate_name"])
        if problem := "is an address: use a DNS name" if is_address(name) else host_name_problem(name):
            yield f"certificate_name {problem}."
    if entry.get("ca_certificate"):
        file = Path(str(entry["ca_certificate"])).expanduser()
        if not file.is_file():
            yield f"ca_certificate is {file}: set the path of a file on the controller."
        elif "-----BEGIN CERTIFICATE-----" not in file.read_text(errors="replace"):
            yield f"ca_certificate is {file}, in which there is no certificate in PEM."


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
