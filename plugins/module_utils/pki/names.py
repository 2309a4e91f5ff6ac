# SPDX-License-Identifier: GPL-3.0-or-later
"""Subject alternative names: what kind each one is, and its one right spelling (RFC 5280 §4.2.1.6)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum


class NameKind(StrEnum):
    """The spelling is also the prefix that forces a kind, as in ``DNS:10.example``."""

    DNS = "DNS"
    IP = "IP"
    URI = "URI"
    EMAIL = "email"
    OTHER = "other"  # found in certificates made elsewhere, never declared


@dataclass(frozen=True, slots=True, order=True)
class AltName:
    """One subject alternative name; ``str()`` gives ``DNS:pacs.example.org``, which parses back to the same."""

    kind: NameKind
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


_PREFIX = re.compile(r"(dns|ip|uri|email):(.*)", re.IGNORECASE | re.DOTALL)
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_MAILBOX = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
# IDNA 2003, which Python's codec implements, and IDNA 2008 make different names of these four (UTS 46 §7).
_IDNA_DEVIATIONS = frozenset("\u00df\u03c2\u200c\u200d")


def parse_alt_name(text: str) -> AltName:
    """Tell the kind of ``text`` by its prefix or form, and normalise it. :class:`ValueError` says what is wrong."""
    kind, value = _classify(text.strip())
    match kind:
        case NameKind.IP:
            return AltName(kind, _ip_address(value))
        case NameKind.URI:
            return AltName(kind, _uri(value))
        case NameKind.EMAIL:
            return AltName(kind, _mail_address(value))
        case _:
            return AltName(kind, dns_name(value))


def split_prefix(text: str) -> tuple[NameKind | None, str]:
    """The kind that a prefix as in ``IP:192.0.2.1`` forces, if there is one, and what follows it."""
    if prefixed := _PREFIX.fullmatch(text):
        prefix = prefixed[1].lower()
        return next(kind for kind in NameKind if kind.lower() == prefix), prefixed[2].strip()
    return None, text


def _classify(text: str) -> tuple[NameKind, str]:
    kind, value = split_prefix(text)
    if kind is not None:
        return kind, value
    if _is_ip_address(text):
        return NameKind.IP, text
    if "://" in text or text.lower().startswith("urn:"):
        return NameKind.URI, text
    if "@" in text:
        return NameKind.EMAIL, text
    return NameKind.DNS, text


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _ip_address(text: str) -> str:
    if "%" in text:
        raise ValueError(f"'{text}' has a zone after '%', which means nothing outside one host")
    if not _is_ip_address(text):
        raise ValueError(f"'{text}' is not an IPv4 or IPv6 address (one address, no network, no brackets)")
    return str(ipaddress.ip_address(text))


def _uri(text: str) -> str:
    if not _URI.fullmatch(text):
        raise ValueError(f"'{text}' is not an absolute URI in ASCII without spaces")
    return text


def _mail_address(text: str) -> str:
    mailbox, _at, domain = text.rpartition("@")
    if not _MAILBOX.fullmatch(mailbox):
        raise ValueError(f"'{text}' is not a mail address (mailbox@domain, mailbox in ASCII)")
    if domain.startswith("*"):
        raise ValueError(f"'{text}' is not a mail address: its domain is a wildcard")
    return f"{mailbox}@{dns_name(domain)}"


def dns_name(text: str) -> str:
    """The name in A-labels and lower case (RFC 5280 §7.2, RFC 1034 §3.5; wildcards as in RFC 6125 §6.4.3)."""
    if not text:
        raise ValueError("an empty text is not a DNS name")
    if text.endswith("."):
        raise ValueError(f"'{text}' ends in a dot, which no TLS peer expects in a certificate: omit the dot")
    wildcard, host = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    labels = _to_ascii(host).split(".")
    for label in labels:
        _check_label(label, text)
    if labels[-1].isdigit():
        raise ValueError(f"'{text}' ends in a number, as only IPv4 addresses do, but it is not one")
    if wildcard and len(labels) < 2:
        raise ValueError(f"'{text}' is a wildcard over a top-level domain, which TLS peers refuse")
    name = wildcard + ".".join(labels)
    if len(name) > 253:
        raise ValueError(f"'{text}' has {len(name)} characters; a DNS name has at most 253")
    return name


def _to_ascii(host: str) -> str:
    if host.isascii():
        return host.lower()
    if _IDNA_DEVIATIONS.intersection(host):
        raise ValueError(f"'{host}' is one name in IDNA 2003 and another in IDNA 2008: write its A-label (xn--...)")
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise ValueError(f"'{host}' has no A-label ({error}): write it as xn--...") from error


def _check_label(label: str, name: str) -> None:
    if not label:
        raise ValueError(f"'{name}' has an empty part between its dots")
    if len(label) > 63:
        raise ValueError(f"'{name}' has a part of {len(label)} characters; DNS allows 63")
    if "*" in label:
        raise ValueError(f"'{name}' has a '*' that is not its whole first part")
    if not _LABEL.fullmatch(label):
        raise ValueError(f"'{name}' is not a DNS name: '{label}' may have letters, digits and inner hyphens only")
