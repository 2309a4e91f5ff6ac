# SPDX-License-Identifier: GPL-3.0-or-later
"""What LemonLDAP::NG would not understand of a directory or an identity provider, before it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.login_providers import login_provider_problems

LDAP: dict[str, Any] = {
    "name": "clinic",
    "kind": "ldap",
    "servers": ["dc1.clinic.example", "[2001:db8::1]:3269"],
    "bind_dn": "cn=orthweb,dc=clinic,dc=example",
    "bind_password": "the-bind-password",
    "people_base": "ou=people,dc=clinic,dc=example",
    "group_base": "ou=groups,dc=clinic,dc=example",
    "roles": {"reader": ["pacs-readers"]},
}
OIDC: dict[str, Any] = {
    "name": "sso",
    "kind": "oidc",
    "issuer": "https://login.clinic.example/realms/clinic",
    "client_id": "orthweb",
    "client_secret": "the-client-secret",
    "roles": {"admin": ["/pacs/admins"], "reader": ["11111111-2222-3333-4444-555555555555"]},
}
METADATA = '<EntityDescriptor entityID="https://idp.example"><IDPSSODescriptor/></EntityDescriptor>'
SECRETS = ("the-bind-password", "the-client-secret")


def problems(*providers: object, users: object = ()) -> list[str]:
    return list(login_provider_problems(list(providers), list(users) if isinstance(users, tuple) else users))


@pytest.mark.parametrize(
    "provider",
    [
        LDAP,
        OIDC,
        {**LDAP, "active_directory": True, "start_tls": True, "second_factor": "provider", "title": "Clinic North-2"},
        {**LDAP, "people_filter": "(&(objectClass=user)(!(employeeType=extern*)))", "login_attribute": "mail"},
        {**OIDC, "claims_from": "id_token", "account_claim": "email", "groups_claim": "hd", "scope": "openid email"},
    ],
)
def test_what_is_right(provider: dict[str, Any]) -> None:
    assert problems(provider, users=[{"name": "rita@clinic.example"}, {"name": "clinic"}]) == []


@pytest.mark.parametrize(
    ("entry", "changes", "said"),
    [
        (LDAP, {"name": "Clinic"}, "name must be 1 to 31 lower-case letters"),
        (LDAP, {"kind": "ad"}, "kind is ad: choose ldap, oidc or saml."),
        (LDAP, {"kind": None}, "kind is missing: choose"),
        (LDAP, {"bind_password": ""}, "bind_password is missing or empty."),
        (OIDC, {"client_secret": None, "client_id": ""}, "client_id and client_secret are missing or empty."),
        (LDAP, {"server": "dc1"}, "it has unknown keys: server (did you mean servers?)."),
        (OIDC, {"servers": ["dc1"]}, "it has unknown keys: servers"),
        (LDAP, {"servers": "dc1.clinic.example"}, "servers must be a list of names"),
        (LDAP, {"servers": ["ldap://dc1"]}, "servers has 'ldap://dc1': write a name"),
        (LDAP, {"people_filter": "(uid=@{[`id`]})"}, "people_filter is '(uid=@{[`id`]})': use a filter"),
        (LDAP, {"login_attribute": "uid=*)(uid"}, "login_attribute is"),
        (LDAP, {"start_tls": "no"}, "start_tls is 'no': use true or false."),
        (LDAP, {"ca_certificate": "/nonexistent"}, "ca_certificate is /nonexistent: set the path of a certificate"),
        (LDAP, {"ca_certificate": __file__}, f"ca_certificate is {__file__}: set the path of a certificate"),
        (LDAP, {"second_factor": "none"}, "second_factor is none: choose here or provider."),
        (LDAP, {"title": "<b>"}, "title is '<b>': use letters"),
        (OIDC, {"issuer": "http://login.clinic.example"}, "issuer is 'http://login.clinic.example': set the https"),
        (OIDC, {"issuer": "https://login.clinic.example/?a=b"}, "issuer is"),
        (OIDC, {"scope": "profile"}, "scope is 'profile': use words"),
        (OIDC, {"claims_from": "access_token"}, "claims_from is access_token: choose userinfo or id_token."),
        (OIDC, {"roles": {}}, "roles is missing: say which groups"),
        (OIDC, {"roles": {"readers": ["a"]}}, "roles has readers, which is no role: did you mean reader?"),
        (OIDC, {"roles": {"reader": "pacs"}}, "roles.reader must be a list"),
        (OIDC, {"roles": {"reader": ["a' or 'b"]}}, "roles.reader has \"a' or 'b\": use a string"),
        (OIDC, {"roles": {"reader": ["$role"]}}, "roles.reader has '$role': use a string"),
        (OIDC, {"roles": {"reader": ["a\x1eb"]}}, "roles.reader has 'a\\x1eb': use a string"),
    ],
)
def test_what_is_wrong_is_named(entry: dict[str, Any], changes: dict[str, Any], said: str) -> None:
    given = {**entry, **changes}
    (problem,) = problems(given)
    assert problem.startswith(f"orthweb_login_providers, entry 1 ({given['name']}): {said}")
    assert not any(secret in problem for secret in SECRETS)


def test_all_is_said_at_once(tmp_path: Path) -> None:
    assert len(problems({**LDAP, "bind_dn": "", "roles": {"reader": [1]}, "ca_certificate": tmp_path}, {})) == 5


def test_saml(tmp_path: Path) -> None:
    file = tmp_path / "metadata.xml"
    given = {"name": "partner", "kind": "saml", "metadata": str(file), "roles": {"reader": ["radiology"]}}
    assert problems(given) == [
        f"orthweb_login_providers, entry 1 (partner): metadata is {file}: set the path of the provider's SAML metadata "
        "(XML) on the controller."
    ]
    file.write_text(METADATA)
    assert problems(given) == []
    assert problems({**given, "groups_attribute": "urn:oid:1.3.6.1.4.1.5923.1.5.1.1"}) == []
    assert len(problems({**given, "groups_attribute": "a;b"})) == 1
    assert problems(given, {**given, "name": "other"}) == [
        "orthweb_login_providers has several of the kind saml, and one is possible."
    ]


def test_two_of_one_name_or_title() -> None:
    assert problems(LDAP, {**OIDC, "name": "clinic"}) == [
        "orthweb_login_providers: the name clinic is in 2 entries.",
        "orthweb_login_providers: the title clinic is in 2 entries.",
    ]
    assert len(problems(LDAP, {**OIDC, "title": "clinic"})) == 1


def test_no_local_account_is_called_like_one_of_a_provider() -> None:
    (problem,) = problems(LDAP, users=[{"name": "admin"}, {"name": "lars@clinic"}])
    assert problem.startswith("orthweb_users has lars@clinic, which is what an account of the login provider clinic")


@pytest.mark.parametrize("given", ["clinic", [1], {"name": "clinic"}, None])
def test_another_type(given: object) -> None:
    (problem,) = login_provider_problems(given, [])
    assert problem == "orthweb_login_providers must be a list of entries, each with a name, a kind and roles."
