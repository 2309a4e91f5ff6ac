# SPDX-License-Identifier: GPL-3.0-or-later
"""Name constraints: for which names a CA may issue, told by subtrees (RFC 5280 §4.2.1.10)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from .names import AltName, NameKind, dns_name, split_prefix


@dataclass(frozen=True, slots=True, order=True)
class Subtree:
    """All names of one kind below ``value``; ``str()`` gives ``DNS:clinic.example``.

    DNS: a domain and all below it. IP: a network (``10.0.0.0/8``). email: a mailbox, a host, or with a leading dot
    all hosts below a domain. URI: a host, or with a leading dot all hosts below a domain.
    """

    kind: NameKind
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"

    def covers(self, name: AltName) -> bool:
        """Whether ``name``, of the same kind, is in this subtree."""
        match self.kind:
            case NameKind.DNS:
                return name.value == self.value or name.value.endswith(f".{self.value}")
            case NameKind.IP:
                address, network = ipaddress.ip_address(name.value), ipaddress.ip_network(self.value)
                return address.version == network.version and address in network
            case NameKind.EMAIL if "@" in self.value:
                return name.value == self.value
            case NameKind.EMAIL:
                return self._covers_host(name.value.rpartition("@")[2])
            case _:
                return self._covers_host(urlsplit(name.value).hostname or "")

    def _covers_host(self, host: str) -> bool:
        return host.endswith(self.value) if self.value.startswith(".") else host == self.value


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """A kind of name that has no subtree here may be issued freely, as the RFC has it."""

    permitted: frozenset[Subtree] = frozenset()
    excluded: frozenset[Subtree] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.permitted or self.excluded)

    def allow(self, name: AltName) -> bool:
        permitted = [subtree for subtree in self.permitted if subtree.kind is name.kind]
        excluded = [subtree for subtree in self.excluded if subtree.kind is name.kind]
        if name.kind is NameKind.URI and (permitted or excluded) and not _has_plain_host(name.value):
            return False
        if permitted and not _any_covers(permitted, name):
            return False
        return not _any_covers(excluded, name) and not any(_meets_wildcard(subtree, name) for subtree in excluded)


def _has_plain_host(uri: str) -> bool:
    """Whether there is a host in it that can be held against a subtree; any other URI must be refused."""
    parts = urlsplit(uri)
    if not parts.hostname or "@" in parts.netloc:
        return False
    try:
        ipaddress.ip_address(parts.hostname)
    except ValueError:
        return True
    return False


def _meets_wildcard(subtree: Subtree, name: AltName) -> bool:
    """Whether ``name`` is a wildcard that some name within ``subtree`` matches."""
    return name.value.startswith("*.") and subtree.value.endswith(name.value[1:])


def _any_covers(subtrees: Iterable[Subtree], name: AltName) -> bool:
    return any(subtree.covers(name) for subtree in subtrees)


def parse_subtree(text: str) -> Subtree:
    """Tell the kind of ``text`` by its prefix or form, and normalise it. :class:`ValueError` says what is wrong."""
    kind, value = split_prefix(text.strip())
    if kind is None:
        kind = NameKind.IP if _is_network(value) else NameKind.EMAIL if "@" in value else NameKind.DNS
    match kind:
        case NameKind.IP:
            return Subtree(kind, _network(value))
        case NameKind.EMAIL if "@" in value:
            mailbox, _at, host = value.rpartition("@")
            return Subtree(kind, f"{mailbox}@{_plain_host(host, value)}")
        case NameKind.EMAIL | NameKind.URI:
            dot = "." if value.startswith(".") else ""
            return Subtree(kind, dot + _plain_host(value.removeprefix("."), value))
        case _:
            if value.startswith("."):
                raise ValueError(f"'{text}' begins with a dot: omit it, as a DNS subtree includes all names below it")
            return Subtree(kind, _plain_host(value, value))


def _plain_host(host: str, text: str) -> str:
    if "*" in host:
        raise ValueError(f"'{text}' has a wildcard: a subtree includes all names below it anyway")
    return dns_name(host)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(f"'{text}' is not an IP network such as 10.0.0.0/8 ({error})") from error
