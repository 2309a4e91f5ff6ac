# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be called what: AE titles, host names, ports.

Each function returns ``None`` when the value is right, else half a sentence that says what is wrong with it and that
fits behind the option's name: ``called_aet: 'ORTHANC\\n' has a control character (PS3.5 §6.2)``.
"""

from __future__ import annotations

import ipaddress
import re

AE_TITLE_LENGTH = 16
HOST_NAME_LENGTH = 253

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)


def ae_title_problem(value: str) -> str | None:
    """Say what keeps ``value`` from being an application entity title (value representation AE, PS3.5 §6.2)."""
    if not value:
        return "is empty: an AE title has 1 to 16 characters (PS3.5 §6.2)"
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        return f"{value!r} has a control character (PS3.5 §6.2)"
    if not value.isascii():
        return f"{value!r} has a character outside the default repertoire, ASCII (PS3.5 §6.2)"
    if "\\" in value:
        return f"{value!r} has a backslash, which separates values in DICOM (PS3.5 §6.2)"
    if not value.strip():
        return f"{value!r} consists of spaces only (PS3.5 §6.2)"
    if len(value) > AE_TITLE_LENGTH:
        return f"{value!r} has {len(value)} characters: an AE title has at most {AE_TITLE_LENGTH} (PS3.5 §6.2)"
    return None


def host_name_problem(value: str) -> str | None:
    """Say what keeps ``value`` from being a DNS name (RFC 1123 §2.1, internationalised ones too) or an IP address.

    Underscores are let through, since container networks name their hosts with them.
    """
    if not value.strip():
        return "is empty: set a host name or an IP address"
    if "://" in value or "/" in value:
        return f"{value!r} is a URL: use the host name only"
    if _is_ip_address(value):
        return None
    if value.startswith("[") or re.fullmatch(r"[^:]+:\d+", value):
        return f"{value!r} has brackets or a port: use the host name or address only, and set the port separately"
    if re.fullmatch(r"[\d.]+", value) or ":" in value:
        return f"{value!r} looks like an IP address, but is not a valid one"

    try:
        ascii_name = value.removesuffix(".").encode("idna").decode("ascii")
    except UnicodeError:
        return (
            f"{value!r} is not a DNS name (RFC 1123 §2.1): a label is empty or too long, or a character is not allowed"
        )
    if len(ascii_name) > HOST_NAME_LENGTH:
        return f"{value!r} has {len(ascii_name)} characters: a DNS name has at most {HOST_NAME_LENGTH}"
    for label in ascii_name.split("."):
        if not _LABEL.fullmatch(label):
            return (
                f"{value!r} is not a DNS name (RFC 1123 §2.1): "
                f"its label {label!r} must consist of letters, digits and inner hyphens"
            )
    return None


def port_problem(value: object) -> str | None:
    """Say what keeps ``value``, a number or its digits, from being a TCP port."""
    text = str(value)
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 65535:
        return None
    return f"{text}: a port is a number from 1 to 65535"


def at(host: str, port: int) -> str:
    """Write a peer's address as people write it: ``archive:11112``, ``[2001:db8::5]:11112``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_ip_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
