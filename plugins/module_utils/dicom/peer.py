# SPDX-License-Identifier: GPL-3.0-or-later
"""A peer and how to reach it, as declared; the options that all DICOM modules share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .names import ae_title_problem, at, host_name_problem, port_problem

# The bounds that dcmtk has for a PDU, too.
SMALLEST_PDU = 4096
LARGEST_PDU = 131072
ONE_DAY = 86400

# The same options stand, documented, in plugins/doc_fragments/dicom_peer.py.
PEER_ARGUMENTS: dict[str, dict[str, Any]] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 11112},
    "calling_aet": {"type": "str", "default": "ORTHWEB"},
    "called_aet": {"type": "str", "required": True},
    "tls": {"type": "bool", "default": False},
    "ca_file": {"type": "path"},
    "crl_file": {"type": "path"},
    "client_certificate": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "client_key_passphrase": {"type": "str", "no_log": True},
    "server_name": {"type": "str"},
    "verify": {"type": "bool", "default": True},
    "minimum_version": {"type": "str", "choices": ["1.2", "1.3"], "default": "1.2"},
    "connect_timeout_seconds": {"type": "float", "default": 5.0},
    "tls_timeout_seconds": {"type": "float", "default": 5.0},
    "association_timeout_seconds": {"type": "float", "default": 10.0},
    "dimse_timeout_seconds": {"type": "float", "default": 30.0},
    "retries": {"type": "int", "default": 0},
    "retry_delay_seconds": {"type": "float", "default": 1.0},
    "maximum_pdu": {"type": "int", "default": 16384},
}

# The same for one entry of a list, where what is not said is the list's default.
ENTRY_ARGUMENTS: dict[str, dict[str, Any]] = {
    name: {aspect: value for aspect, value in spec.items() if aspect not in ("default", "required")}
    for name, spec in PEER_ARGUMENTS.items()
}

_ONLY_WITH_TLS = ("ca_file", "crl_file", "client_certificate", "client_key", "client_key_passphrase", "server_name")
_TIMEOUTS = (
    "connect_timeout_seconds",
    "tls_timeout_seconds",
    "association_timeout_seconds",
    "dimse_timeout_seconds",
)

# What an entry says puts aside these defaults, which belong to something else than what it says.
_PUT_ASIDE: dict[str, tuple[str, ...]] = {
    "ca_file": ("crl_file",),
    "client_certificate": ("client_key", "client_key_passphrase"),
    "client_key": ("client_key_passphrase",),
}
_PUT_ASIDE_IF_FALSE: dict[str, tuple[str, ...]] = {
    "tls": (*_ONLY_WITH_TLS, "verify"),
    "verify": ("ca_file", "crl_file"),
}


@dataclass(frozen=True)
class TlsOptions:
    """How to speak TLS (PS3.15 Annex B): whom to trust, and who we are."""

    server_name: str
    ca_file: str | None = None
    crl_file: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    client_key_passphrase: str | None = field(default=None, repr=False)
    verify: bool = True
    minimum_version: str = "1.2"


@dataclass(frozen=True)
class Timeouts:
    """How long each step may take, in seconds."""

    connect: float = 5.0
    tls: float = 5.0
    association: float = 10.0
    dimse: float = 30.0


@dataclass(frozen=True)
class Peer:
    """One application entity, where it listens, and how it is spoken to. ``tls`` is ``None`` for plain TCP."""

    host: str
    port: int
    called_aet: str
    calling_aet: str = "ORTHWEB"
    tls: TlsOptions | None = None
    timeouts: Timeouts = Timeouts()
    maximum_pdu: int = 16384
    retries: int = 0
    retry_delay: float = 1.0

    def __str__(self) -> str:
        return f"{self.called_aet.strip()} at {at(self.host, self.port)}"


def entry_options(entry: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of ``PEER_ARGUMENTS`` for one entry of a list: what it says, and for the rest ``defaults``.

    Defaults that belong to something else than what the entry says are not taken over: its own certificate does not
    get the key of another, and without TLS there is nothing to verify.
    """
    said = {name: value for name, value in entry.items() if value is not None}
    aside = {other for name in said for other in _PUT_ASIDE.get(name, ())}
    aside |= {other for name, others in _PUT_ASIDE_IF_FALSE.items() if said.get(name) is False for other in others}
    return {
        name: said.get(name, spec.get("default") if name in aside else defaults[name])
        for name, spec in PEER_ARGUMENTS.items()
    }


def peer_problems(options: Mapping[str, Any]) -> list[str]:
    """Return all that is wrong with the options of ``PEER_ARGUMENTS``, files left aside (see ``tls_problems``)."""
    problems = [
        f"{option}: {problem}"
        for option, problem in (
            ("host", "is missing" if options["host"] is None else host_name_problem(options["host"])),
            ("port", port_problem(options["port"])),
            ("calling_aet", ae_title_problem(options["calling_aet"])),
            ("called_aet", "is missing" if options["called_aet"] is None else ae_title_problem(options["called_aet"])),
            ("server_name", options["server_name"] is not None and host_name_problem(options["server_name"])),
        )
        if problem
    ]
    problems += [
        f"{option}: {options[option]} is not above 0 and at most {ONE_DAY}"
        for option in _TIMEOUTS
        if not 0 < options[option] <= ONE_DAY
    ]
    problems += [
        f"{option}: {options[option]} is not between 0 and {ONE_DAY}"
        for option in ("retries", "retry_delay_seconds")
        if not 0 <= options[option] <= ONE_DAY
    ]
    if not SMALLEST_PDU <= options["maximum_pdu"] <= LARGEST_PDU:
        problems.append(f"maximum_pdu: {options['maximum_pdu']} is not between {SMALLEST_PDU} and {LARGEST_PDU} bytes")

    if not options["tls"]:
        problems += [f"{option}: needs tls: true" for option in _ONLY_WITH_TLS if options[option] is not None]
        if not options["verify"]:
            problems.append("verify: needs tls: true")
    elif options["verify"]:
        if options["crl_file"] and not options["ca_file"]:
            problems.append("crl_file: needs ca_file, the authority that issued the list")
    else:
        problems += [
            f"{option}: has no effect with verify: false" for option in ("ca_file", "crl_file") if options[option]
        ]
    if options["client_key"] and not options["client_certificate"]:
        problems.append("client_key: needs client_certificate")
    if options["client_key_passphrase"] is not None and not options["client_certificate"]:
        problems.append("client_key_passphrase: needs client_certificate")
    return problems


def peer_from_options(options: Mapping[str, Any]) -> Peer:
    """Return the peer that the options of ``PEER_ARGUMENTS`` declare."""
    tls = None
    if options["tls"]:
        tls = TlsOptions(
            server_name=options["server_name"] or options["host"],
            ca_file=options["ca_file"],
            crl_file=options["crl_file"],
            client_certificate=options["client_certificate"],
            client_key=options["client_key"],
            client_key_passphrase=options["client_key_passphrase"],
            verify=options["verify"],
            minimum_version=options["minimum_version"],
        )
    return Peer(
        host=options["host"],
        port=options["port"],
        calling_aet=options["calling_aet"],
        called_aet=options["called_aet"],
        tls=tls,
        timeouts=Timeouts(*(options[option] for option in _TIMEOUTS)),
        maximum_pdu=options["maximum_pdu"],
        retries=options["retries"],
        retry_delay=options["retry_delay_seconds"],
    )
