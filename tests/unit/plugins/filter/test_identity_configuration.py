# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of LemonLDAP::NG: what keeps people out."""

from __future__ import annotations

import json
import re

import pytest
from ansible_collections.cellcs.orthweb.plugins.filter.identity_configuration import identity_configuration

SITE = {
    "name": "Clinic",
    "cookie": "orthweb",
    "url": "https://pacs.clinic.example/auth/",
    "key": "k" * 32,
    "second_factor_roles": ["admin"],
    "session_minutes": 720,
    "idle_minutes": 60,
    "failures_allowed": 10,
    "lockout_minutes": 15,
    "shortest_password": 12,
    "providers": [],
}


def test_it_is_json_and_has_no_password() -> None:
    """The database's is in a file of its own."""
    assert "password" not in json.dumps(identity_configuration(SITE)["globalStorageOptions"]).lower()
    assert "dbiAuthPassword" not in identity_configuration(SITE)


def test_cookies_are_for_this_host_and_not_for_scripts() -> None:
    made = identity_configuration(SITE)
    assert (made["securedCookie"], made["httpOnly"], made["sameSite"], made["domain"]) == (1, 1, "Lax", "")
    assert made["corsEnabled"] == 0, "its default lets all sites ask"


def test_a_new_password_is_for_the_account_of_that_name() -> None:
    """Several people may share an address, and it may be the name of somebody else."""
    made = identity_configuration(SITE)
    assert made["dbiMailCol"] == made["userPivot"] == made["dbiAuthLoginCol"] == "name"


def test_clear_text_is_no_password() -> None:
    made = identity_configuration(SITE)
    assert made["dbiDynamicHashEnabled"] and made["dbiDynamicHashValidSchemes"] == ""


@pytest.mark.parametrize(
    ("roles", "rule"),
    [
        ([], "0"),
        (["admin"], "$role =~ /^(?:admin)$/ and $kind eq 'person' ? 1 : 0"),
        (["reader", "admin"], "$role =~ /^(?:admin|reader)$/ and $kind eq 'person' ? 1 : 0"),
    ],
)
def test_who_needs_a_second_factor(roles: list[str], rule: str) -> None:
    assert identity_configuration({**SITE, "second_factor_roles": roles})["sfRequired"] == rule


def test_wrong_passwords_are_counted_for_as_long_as_they_lock() -> None:
    made = identity_configuration(SITE)
    assert made["failedLoginNumber"] > made["bruteForceProtectionMaxFailed"] == 10, "or it refuses to count"
    assert made["bruteForceProtectionTempo"] == 15 * 60


def test_names_of_accounts_that_preflight_allows_can_log_in() -> None:
    control = re.compile(identity_configuration(SITE)["userControl"])
    for name in ("admin", "rita@clinic.example", "ct-1", "a" * 63):
        assert control.fullmatch(name)
    assert not control.fullmatch("rita'--")


def test_an_account_with_a_factor_shows_it_before_it_enrols_another() -> None:
    made = identity_configuration(SITE)
    assert made["totp2fAuthnLevel"] == made["webauthn2fAuthnLevel"] > 2, "a password is level 2"


def test_a_program_never_has_the_session_of_somebody_with_a_second_factor() -> None:
    """LemonLDAP::NG stores it before it asks for the factor, and removes it then."""
    made = identity_configuration({**SITE, "second_factor_roles": ["admin"]})
    assert made["locationRules"]["web"]["default"] == "$access ? 0 : 1", "nor that of a token or a share link"
    rule = made["locationRules"]["basic"]["default"]
    assert rule == "!has2f() and !($role =~ /^(?:admin)$/ and $kind eq 'person' ? 1 : 0)"
