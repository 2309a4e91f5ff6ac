# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts that come from elsewhere: what LemonLDAP::NG is told about directories and identity providers.

Each provider is a choice on the login page. An account is known as ``name@provider``, so that accounts with one name
from two providers are two accounts; preflight refuses a local account with such a name. Groups or claims give roles;
somebody without a role gets no session.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# In the order in which they are looked at: the first one that a group or claim gives counts.
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.users import ROLES

LOCAL = "99_Local_account"
# Between the values of a claim, and between groups: a character that none of them contains.
SEPARATOR = "\x1e"
# Where a provider's files are in the container.
FOLDER = "/etc/lemonldap-ng"
ACTIVE_DIRECTORY = {
    "login_attribute": "sAMAccountName",
    "people_filter": "(&(objectCategory=person)(objectClass=user))",
    "group_class": "group",
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "ldap": {
        "active_directory": False,
        "start_tls": False,
        "login_attribute": "uid",
        "people_filter": "(objectClass=inetOrgPerson)",
        "group_class": "groupOfNames",
    },
    "oidc": {
        "scope": "openid profile email",
        "account_claim": "preferred_username",
        "groups_claim": "groups",
        "claims_from": "userinfo",
    },
    "saml": {
        "account_attribute": "uid",
        "groups_attribute": "groups",
        "mail_attribute": "mail",
    },
}
SECRETS = ("bind_password", "client_secret")
# What with_saml adds.
READ = ("key", "certificate", "metadata_xml")

Provider = Mapping[str, Any]


def complete(provider: Provider) -> dict[str, Any]:
    """With defaults for what is not given."""
    kind = provider["kind"]
    special = ACTIVE_DIRECTORY if kind == "ldap" and provider.get("active_directory") else {}
    return {"title": provider["name"], "second_factor": "here", **DEFAULTS[kind], **special, **provider}


def choice(number: int, provider: Provider) -> str:
    """Its name in LemonLDAP::NG, which sorts by it, and shows what comes after the number, with spaces."""
    return f"{number:02}_{complete(provider)['title'].replace(' ', '_')}"


def mark(provider: Provider) -> str:
    """What a session of this provider has: another one after each change, so that older sessions can be ended."""
    told = {key: value for key, value in provider.items() if key not in (*SECRETS, *READ)}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return f"{provider['name']} {digest[:12]}"


def marks(providers: Sequence[Provider]) -> list[str]:
    return [mark(provider) for provider in providers]


def ca_files(providers: Sequence[Provider]) -> dict[str, str]:
    """Files of the controller by their names in the container's folder."""
    return {f"{one['name']}-ca.crt": one["ca_certificate"] for one in providers if one.get("ca_certificate")}


def settings(providers: Sequence[Provider]) -> dict[str, Any]:
    """What LemonLDAP::NG's configuration has beside that of the local accounts; nothing without providers."""
    if not providers:
        return {}
    chosen = {choice(number, one): complete(one) for number, one in enumerate(providers, 1)}
    saml = next((_saml(one) for one in chosen.values() if one["kind"] == "saml"), {})
    return {
        **saml,
        "authentication": "Choice",
        "userDB": "Choice",
        "passwordDB": "Choice",
        "authChoiceParam": "lmAuth",
        "authChoiceAuthBasic": LOCAL,  # programs have local accounts
        "authChoiceModules": {LOCAL: "DBI;DBI;DBI;;;{}", **{key: _modules(one) for key, one in chosen.items()}},
        "multiValuesSeparator": SEPARATOR,
        "groupsBeforeMacros": 1,
        "macros": _macros(chosen),
        "grantSessionRules": {"##role": "$role ne ''"},
        # Browsers hold a form to this on all redirects that follow, and a provider may lead to others.
        "cspFormAction": "'self' https:" if any(one["kind"] != "ldap" for one in chosen.values()) else "'self'",
    }


def fetched(providers: Sequence[Provider]) -> list[dict[str, str]]:
    """The metadata that the container fetches, for files/images/identity/metadata.pl."""
    return [
        {
            "choice": key,
            "name": one["name"],
            "issuer": one["issuer"],
            "ca": f"{FOLDER}/{one['name']}-ca.crt" if one.get("ca_certificate") else "",
        }
        for key, one in _chosen(providers)
        if one["kind"] == "oidc"
    ]


def elsewhere(providers: Sequence[Provider]) -> str:
    """An expression: whether the session is of a provider that asks for second factors itself."""
    asking = [key for key, one in _chosen(providers) if one["second_factor"] == "provider"]
    return " or ".join(f"$_choice eq {_text(key)}" for key in asking) or "0"


def _chosen(providers: Sequence[Provider]) -> Iterable[tuple[str, dict[str, Any]]]:
    return ((choice(number, one), complete(one)) for number, one in enumerate(providers, 1))


def _modules(provider: Provider) -> str:
    """The modules for authentication, user and password, and the settings that only they have."""
    if provider["kind"] == "saml":
        return "SAML;SAML;Null;;;{}"  # the archive's metadata are made from settings that all have
    module, own = {"ldap": ("LDAP", _ldap), "oidc": ("OpenIDConnect", _oidc)}[provider["kind"]]
    # LemonLDAP::NG splits all of it at semicolons.
    over = json.dumps(own(provider), sort_keys=True).replace(";", "\\u003b")
    return f"{module};{module};Null;;;{over}"


def _ldap(one: Provider) -> dict[str, Any]:
    scheme = "ldap+tls" if one["start_tls"] else "ldaps"
    groups = {
        "ldapGroupBase": one["group_base"],
        "ldapGroupObjectClass": one["group_class"],
        "ldapGroupAttributeName": "member",
        "ldapGroupAttributeNameUser": "dn",
        "ldapGroupAttributeNameSearch": "cn",
        "ldapGroupAttributeNameGroup": "dn",
        "ldapGroupRecursive": 1,
    }
    return {
        "ldapServer": ",".join(f"{scheme}://{server}" for server in one["servers"]),
        "ldapVerify": "require",
        **({"ldapCAFile": f"{FOLDER}/{one['name']}-ca.crt"} if one.get("ca_certificate") else {}),
        "ldapVersion": 3,
        "ldapTimeout": 5,
        "ldapIOTimeout": 5,
        "managerDn": one["bind_dn"],
        "managerPassword": one["bind_password"],
        "ldapBase": one["people_base"],
        "AuthLDAPFilter": f"(&({one['login_attribute']}=$user){one['people_filter']})",
        "ldapExportedVars": {"provided_name": one["login_attribute"], "mail": "mail"},
        **groups,
    }


def _oidc(one: Provider) -> dict[str, Any]:
    """Without the provider's metadata, which the container fetches (files/images/identity/metadata.pl)."""
    options = {
        "ClientID": one["client_id"],
        "ClientSecret": one["client_secret"],
        "Scope": one["scope"],
        "TokenEndpointAuthMethod": "client_secret_post",
        "UserinfoSource": one["claims_from"],
        "CheckJWTSignature": 1,
        "UseNonce": 1,
        "IDTokenMaxAge": 300,
        "JWKSTimeout": 3600,
        "StoreIDToken": 0,
        # Its verifier is shorter than RFC 7636 wants, so that strict providers refuse it.
        "RequirePkce": 0,
    }
    claims = {
        "provided_name": one["account_claim"],
        "provided_groups": one["groups_claim"],
        "mail": "email",
        "provided_mail_verified": "email_verified",
    }
    return {
        "oidcOPMetaDataOptions": {
            one["name"]: {f"oidcOPMetaDataOptions{key}": value for key, value in options.items()}
        },
        "oidcOPMetaDataExportedVars": {one["name"]: claims},
        "lwpOpts": {"timeout": 5},
        "lwpSslOpts": {
            "verify_hostname": 1,
            **({"SSL_ca_file": f"{FOLDER}/{one['name']}-ca.crt"} if one.get("ca_certificate") else {}),
        },
    }


def _saml(one: Provider) -> dict[str, Any]:
    """The role identity has read ``key``, ``certificate`` and ``metadata_xml`` from files of the controller."""
    options = {
        "SSOBinding": "http-redirect",
        "CheckSSOMessageSignature": 1,
        "CheckSLOMessageSignature": 1,
        "CheckTime": 1,
        "CheckAudience": 1,
        "AllowLoginFromIDP": 0,  # nothing would say that the browser wanted it
        "ForceUTF8": 1,
        "StoreSAMLToken": 0,
    }
    attributes = {"provided_name": "account", "provided_groups": "groups", "mail": "mail"}
    return {
        "samlServicePrivateKeySig": one["key"],
        "samlServicePublicKeySig": one["certificate"],
        "samlOrganizationName": "OrthWeb",
        "samlOrganizationDisplayName": "OrthWeb",
        "samlIDPMetaDataXML": {one["name"]: {"samlIDPMetaDataXML": one["metadata_xml"]}},
        "samlIDPMetaDataOptions": {
            one["name"]: {f"samlIDPMetaDataOptions{key}": value for key, value in options.items()}
        },
        # Whether it must be there, and its name, format and friendly name.
        "samlIDPMetaDataExportedAttributes": {
            one["name"]: {key: f"0;{one[value + '_attribute']};;" for key, value in attributes.items()}
        },
    }


def saml_choice(providers: Sequence[Provider]) -> str:
    """The choice that an answer of the SAML provider is for, as the browser sends no cookie with it; empty for none."""
    return next((key for key, one in _chosen(providers) if one["kind"] == "saml"), "")


def saml_metadata(providers: Sequence[Provider]) -> str:
    """The SAML provider's file on the controller; empty for none."""
    return next((one["metadata"] for one in providers if one["kind"] == "saml"), "")


def with_saml(providers: Sequence[Provider], metadata: str, key: str, certificate: str) -> list[Provider]:
    """The same, with the contents of the files that the SAML provider needs."""
    read = dict(zip(READ, (key, certificate, metadata), strict=True))
    return [{**one, **read} if one["kind"] == "saml" else one for one in providers]


def _macros(chosen: Mapping[str, Provider]) -> dict[str, str]:
    """Expressions of LemonLDAP::NG. They are evaluated in the order of their names."""
    return {
        "_whatToTrace": _by_choice({key: _account(one) for key, one in chosen.items()}, "$_user"),
        "kind": _by_choice(dict.fromkeys(chosen, "'person'"), "$kind"),
        "provider": _by_choice({key: _text(mark(one)) for key, one in chosen.items()}, "''"),
        "role": _by_choice({key: _role(one) for key, one in chosen.items()}, "$role"),
    }


def _by_choice(expressions: Mapping[str, str], local: str) -> str:
    """What is not one of the choices has no value, and so no role."""
    cases = {**expressions, LOCAL: local}
    return " : ".join([*(f"$_choice eq {_text(key)} ? ({one})" for key, one in cases.items()), "''"])


def _account(one: Provider) -> str:
    """The name is the provider's, not what was typed: a directory finds an entry by several spellings of it."""
    return f"$provided_name =~ /^[A-Za-z0-9._\\@-]{{1,64}}\\z/ ? lc($provided_name) . {_text('@' + one['name'])} : ''"


def _role(one: Provider) -> str:
    given = one["roles"]
    found = [f"{_any_of(one, given[role])} ? '{role}'" for role in ROLES if given.get(role)]
    roles = " : ".join([*found, "''"])
    conditions = ["$_whatToTrace"]
    if "email" in (one.get("account_claim"), one.get("groups_claim")):
        conditions.append("$provided_mail_verified")  # else anybody could give that of somebody else
    return f"!({' and '.join(conditions)}) ? '' : {roles}"


def _any_of(one: Provider, names: Iterable[str]) -> str:
    if one["kind"] == "ldap":
        return "(" + " or ".join(f"$hGroups->{{{_text(name)}}}" for name in names) + ")"
    edge = f"chr({ord(SEPARATOR)})"
    values = f"{edge} . ($provided_groups // '') . {edge}"
    return "(" + " or ".join(f"index({values}, {edge} . {_text(name)} . {edge}) >= 0" for name in names) + ")"


def _text(value: str) -> str:
    """A string of Perl. Preflight allows no quotation mark, backslash, $ or % in what is written here."""
    return f"'{value}'"
