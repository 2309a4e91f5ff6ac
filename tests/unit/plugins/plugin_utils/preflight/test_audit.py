# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the audit trail is sent, and how long it is kept."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.audit import audit_problems

GOOD: dict[str, Any] = {"host": "siem.clinic.example", "ca_certificate": __file__}


@pytest.mark.parametrize("more", [{}, {"port": 6514}, {"client_certificate": __file__, "client_key": __file__}])
def test_what_works(more: dict[str, Any]) -> None:
    assert list(audit_problems({"orthweb_audit_keep_years": 10, "orthweb_audit_collector": GOOD | more})) == []
    assert list(audit_problems({"orthweb_audit_collector": {}})) == []
    assert list(audit_problems({"orthweb_audit_collector": "x", "orthweb_audit_keep_years": "x"})) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"host": ""}, ".host is missing"),
        ({"port": 70000}, ".port is 70000"),
        ({"ca_certificate": ""}, ".ca_certificate is missing"),
        ({"ca_certificate": "/nonexistent"}, "there is no such file"),
        ({"client_key": __file__}, "set both, or neither"),
        ({"prot": 1}, "did you mean port?"),
    ],
)
def test_what_does_not(changed: dict[str, Any], said: str) -> None:
    [problem] = audit_problems({"orthweb_audit_collector": GOOD | changed})
    assert problem.startswith("orthweb_audit_collector") and said in problem


@pytest.mark.parametrize("years", [0, -1, "0"])
def test_nothing_is_kept(years: int | str) -> None:
    [problem] = audit_problems({"orthweb_audit_keep_years": years})
    assert problem == f"orthweb_audit_keep_years is {years}: use 1 or more."
