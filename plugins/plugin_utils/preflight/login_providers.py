# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories and identity providers: what LemonLDAP::NG would not understand, or would let somebody in by mistake."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from .files import has_certificate, has_words
from .users import ROLES
from .words import listed, nearest, unknown_keys

COMMON = ("name", "kind", "title", "roles", "second_factor", "ca_certificate")
# What each kind needs, and what it may have.
NEEDED = {
    "ldap": ("servers", "bind_dn", "bind_password", "people_base", "group_base"),
    "oidc": ("issuer", "client_id", "client_secret"),
    "saml": ("metadata",),
}
MORE = {
    "ldap": ("active_directory", "start_tls", "login_attribute", "people_filter", "group_class"),
    "oidc": ("scope", "account_claim", "groups_claim", "claims_from"),
    "saml": ("account_attribute", "groups_attribute", "mail_attribute"),
}
KINDS = tuple(NEEDED)
CHOICES = {"second_factor": ("here", "provider"), "claims_from": ("userinfo", "id_token")}
WORD = r"[A-Za-z][A-Za-z0-9_.-]{0,63}"
ATTRIBUTE = r"[A-Za-z][A-Za-z0-9_./:-]{0,199}"
FORMS = {
    "title": (r"[A-Za-z0-9][A-Za-z0-9 -]{0,39}", "use letters, digits, spaces and hyphens"),
    "issuer": (
        r"https://[^\s/?#'\"$%\\;]+(/[^\s?#'\"$%\\;]*)?",
        "set the https URL that the provider calls its issuer",
    ),
    "scope": (r"openid( [!#-\[\]-~]+)*", "use words with spaces between them, of which openid is the first"),
    "account_attribute": (ATTRIBUTE, "use the name of an attribute"),
    "groups_attribute": (ATTRIBUTE, "use the name of an attribute"),
    "mail_attribute": (ATTRIBUTE, "use the name of an attribute"),
    "account_claim": (WORD, "use the name of a claim"),
    "groups_claim": (WORD, "use the name of a claim"),
    "login_attribute": (r"[A-Za-z][A-Za-z0-9-]{0,63}", "use the name of an attribute"),
    "group_class": (r"[A-Za-z][A-Za-z0-9-]{0,63}", "use the name of an object class"),
    # LemonLDAP::NG evaluates it as a string of Perl.
    "people_filter": (
        r"\([A-Za-z0-9()&|!=<>~:*., -]+\)",
        "use a filter (RFC 4515) of letters, digits and ()&|!=<>~:*.,-",
    ),
}
NAME = re.compile(r"[a-z][a-z0-9-]{0,30}", re.ASCII)
SERVER = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?", re.ASCII)
# It becomes part of an expression.
GROUP = re.compile(r"[^\x00-\x1f\x7f'\"\\$%]{1,200}")


def login_provider_problems(given: object, users: object) -> Iterator[str]:
    """Sentences, each with the provider it is about, and none with a secret; none if nothing is wrong.

    :param users: ``orthweb_users``, whose names must not look like those of a provider
    """
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        yield "orthweb_login_providers must be a list of entries, each with a name, a kind and roles."
        return
    for number, one in enumerate(given, 1):
        yield from (
            f"orthweb_login_providers, entry {number} ({one.get('name', 'no name')}): {problem}"
            for problem in _problems(one)
        )
    for key in ("name", "title"):
        named = Counter(str(one.get(key) or one.get("name")) for one in given)
        yield from (
            f"orthweb_login_providers: the {key} {name} is in {count} entries."
            for name, count in named.items()
            if count > 1
        )
    if sum(one.get("kind") == "saml" for one in given) > 1:
        yield "orthweb_login_providers has several of the kind saml, and one is possible."
    yield from _taken(given, users)


def _taken(given: list[dict[str, Any]], users: object) -> Iterator[str]:
    providers = {str(one.get("name")) for one in given}
    for user in users if isinstance(users, list) else []:
        name = str(user.get("name")) if isinstance(user, dict) else ""
        provider = name.rpartition("@")[2]
        if "@" in name and provider in providers:
            yield (
                f"orthweb_users has {name}, which is what an account of the login provider {provider} is called: "
                "rename one of them."
            )


def _problems(one: Mapping[str, Any]) -> Iterator[str]:
    name, kind = one.get("name"), one.get("kind")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield "name must be 1 to 31 lower-case letters, digits or hyphens, and begin with a letter."
    if kind not in KINDS:
        yield f"kind is {kind or 'missing'}: choose {listed(KINDS, 'or')}."
        return
    if problem := unknown_keys(one, (*COMMON, *NEEDED[kind], *MORE[kind])):
        yield f"it {problem}"
    missing = [key for key in NEEDED[kind] if not one.get(key)]
    if missing:
        yield f"{listed(missing)} {'is' if len(missing) == 1 else 'are'} missing or empty."
    yield from _forms(one)
    yield from _servers(one)
    yield from _certificate(one)
    yield from _metadata(one)
    yield from _roles(one.get("roles"))


def _forms(one: Mapping[str, Any]) -> Iterator[str]:
    for key, (pattern, remedy) in FORMS.items():
        if one.get(key) is not None and not re.fullmatch(pattern, str(one[key]), re.ASCII):
            yield f"{key} is {one[key]!r}: {remedy}."
    for key, choices in CHOICES.items():
        if key in one and one[key] not in choices:
            yield f"{key} is {one[key]}: choose {listed(choices, 'or')}."
    for key in ("active_directory", "start_tls"):
        if key in one and not isinstance(one[key], bool):
            yield f"{key} is {one[key]!r}: use true or false."


def _servers(one: Mapping[str, Any]) -> Iterator[str]:
    servers = one.get("servers")
    if not servers:
        return
    if not isinstance(servers, list):
        yield "servers must be a list of names, each maybe with a port."
        return
    for server in servers:
        if not SERVER.fullmatch(str(server)):
            yield f"servers has {server!r}: write a name, maybe with a port, such as dc1.clinic.example:636."


def _certificate(one: Mapping[str, Any]) -> Iterator[str]:
    file = one.get("ca_certificate")
    if file and not has_certificate(file):
        yield f"ca_certificate is {file}: set the path of a certificate in PEM format on the controller."


def _metadata(one: Mapping[str, Any]) -> Iterator[str]:
    file = one.get("metadata")
    if file and not has_words(file, "IDPSSODescriptor", "entityID"):
        yield f"metadata is {file}: set the path of the provider's SAML metadata (XML) on the controller."


def _roles(roles: object) -> Iterator[str]:
    if not isinstance(roles, dict) or not roles:
        yield f"roles is missing: say which groups or values give which role, such as {{{ROLES[0]}: [pacs-admins]}}."
        return
    for role, groups in roles.items():
        if role not in ROLES:
            hint = nearest(str(role), ROLES) or f"choose {listed(ROLES, 'or')}."
            yield f"roles has {role}, which is no role: {hint}"
        elif not isinstance(groups, list) or not groups:
            yield f"roles.{role} must be a list of groups or values."
        else:
            for group in groups:
                if not isinstance(group, str) or not GROUP.fullmatch(group):
                    yield (
                        f"roles.{role} has {group!r}: use a string of 1 to 200 characters without control characters, "
                        "quotation marks, backslashes, $ and %."
                    )
