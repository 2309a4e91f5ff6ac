# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the audit trail is kept, and where it is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .words import port_problem, unknown_keys

FILES = ("ca_certificate", "client_certificate", "client_key")
KEYS = ("host", "port", *FILES)


def audit_problems(settings: Mapping[str, Any]) -> Iterator[str]:
    """Of ``orthweb_audit_keep_years`` and ``orthweb_audit_collector``; wrong types are judged elsewhere."""
    years = settings.get("orthweb_audit_keep_years", 1)
    if str(years).lstrip("-").isdigit() and int(years) < 1:
        yield f"orthweb_audit_keep_years is {years}: use 1 or more."
    collector = settings.get("orthweb_audit_collector")
    if collector and isinstance(collector, dict):
        yield from (f"orthweb_audit_collector{problem}" for problem in _collector_problems(collector))


def _collector_problems(given: dict[str, Any]) -> Iterator[str]:
    if problem := unknown_keys(given, KEYS):
        yield f" {problem}"
    if not given.get("host"):
        yield ".host is missing: set the collector's name, which is in its certificate."
    if "port" in given and (problem := port_problem(given["port"])):
        yield f".port is {problem}"
    for key in FILES:
        if given.get(key) and not Path(given[key]).expanduser().is_file():
            yield f".{key} is {given[key]}, but there is no such file on the controller."
    if not given.get("ca_certificate"):
        yield ".ca_certificate is missing: set the path of the CA that issued the collector's certificate."
    if bool(given.get("client_certificate")) != bool(given.get("client_key")):
        yield " has one of client_certificate and client_key: set both, or neither."
