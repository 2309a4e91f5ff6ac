# SPDX-License-Identifier: GPL-3.0-or-later
"""The server that mails links to choose a new password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.smtp import smtp_problems

GOOD: dict[str, Any] = {"host": "mail.clinic.example", "sender": "pacs@clinic.example"}
USERS = [{"name": "admin"}, {"name": "rita", "mail": "rita@clinic.example"}]


def test_what_works(tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text("-----BEGIN CERTIFICATE-----\n")
    more = {"port": 465, "tls": "tls", "user": "pacs", "password": "secret", "ca_certificate": str(ca)}
    for given in ({}, GOOD, GOOD | more, GOOD | {"host": "192.0.2.1"}):
        assert list(smtp_problems(given, USERS)) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"host": ""}, ".host is missing"),
        ({"host": "mail clinic"}, ".host: "),
        ({"port": 70000}, ".port is 70000"),
        ({"tls": "none"}, ".tls is none: choose starttls or tls."),
        ({"sender": ""}, ".sender is missing"),
        ({"sender": "pacs@clinic.example\nBcc: x@y.example"}, ".sender is"),
        ({"user": "pacs"}, "set both, or neither"),
        ({"password": "very secret"}, "set both, or neither"),
        ({"ca_certificate": "/nonexistent"}, ".ca_certificate is /nonexistent"),
        ({"ca_certificate": __file__ + "x"}, "a certificate in PEM format"),
        ({"prot": 1}, "did you mean port?"),
    ],
)
def test_what_does_not(changed: dict[str, Any], said: str) -> None:
    [problem] = smtp_problems(GOOD | changed, USERS)
    assert problem.startswith("orthweb_smtp") and said in problem
    assert "very secret" not in problem


def test_all_at_once_and_for_somebody() -> None:
    assert len(list(smtp_problems({"port": 0, "tls": "x"}, USERS))) == 4
    [problem] = smtp_problems(GOOD, [{"name": "admin"}])
    assert "nobody in orthweb_users has an address" in problem
    [problem] = smtp_problems("mail.clinic.example", USERS)
    assert "must be a dictionary" in problem
