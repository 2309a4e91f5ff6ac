# SPDX-License-Identifier: GPL-3.0-or-later
"""The server that mails links to choose a new password."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.names import host_name_problem
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.modalities import is_address

from .files import has_certificate
from .words import listed, port_problem, unknown_keys

KEYS = ("host", "port", "tls", "sender", "user", "password", "ca_certificate")
WAYS = ("starttls", "tls")
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+", re.ASCII)


def smtp_problems(given: object, users: object) -> Iterator[str]:
    """Of ``orthweb_smtp``, none with the password; none if it is empty.

    :param users: ``orthweb_users``, of whom somebody must have an address
    """
    if not isinstance(given, dict):
        yield "orthweb_smtp must be a dictionary with host and sender; {} for none."
        return
    if not given:
        return
    yield from (f"orthweb_smtp{problem}" for problem in _problems(given))
    if not any(isinstance(user, dict) and user.get("mail") for user in (users if isinstance(users, list) else [])):
        yield "orthweb_smtp is set, but nobody in orthweb_users has an address: give somebody mail, or remove it."


def _problems(given: Mapping[str, Any]) -> Iterator[str]:
    if problem := unknown_keys(given, KEYS):
        yield f" {problem}"
    host, tls, sender, file = (given.get(key) for key in ("host", "tls", "sender", "ca_certificate"))
    if not host:
        yield ".host is missing: set the server's name, which is in its certificate."
    elif not is_address(str(host)) and (problem := host_name_problem(str(host))):
        yield f".host: {problem.rstrip('.')}."
    if "port" in given and (problem := port_problem(given["port"])):
        yield f".port is {problem}"
    if "tls" in given and tls not in WAYS:
        yield f".tls is {tls}: choose {listed(WAYS, 'or')}. The archive sends no mail without encryption."
    if not ADDRESS.fullmatch(str(sender or "")):
        yield f".sender is {sender or 'missing'}: set the address that the messages come from."
    if bool(given.get("user")) != bool(given.get("password")):
        yield " has one of user and password: set both, or neither."
    if file and not has_certificate(file):
        yield f".ca_certificate is {file}: set the path of a certificate in PEM format on the controller."
