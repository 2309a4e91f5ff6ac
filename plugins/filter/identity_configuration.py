# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of LemonLDAP::NG, which says who somebody is. What they may do is nginx's to decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.plugin_utils import login_providers

VERSION = "2.21.2"
# The handler's virtual hosts, by how somebody shows who they are. nginx asks one of them about each request.
HANDLERS = {"web": "Main", "basic": "AuthBasic", "bearer": "Main", "share": "Main"}
STORE = "Apache::Session::Browseable::PgJSON"
# pg_service.conf says where the database is, and has the password.
DATABASE = "dbi:Pg:service=identity"


def _store(table: str) -> dict[str, str]:
    generate = "Lemonldap::NG::Common::Apache::Session::Generate::SHA256"
    return {"DataSource": DATABASE, "TableName": table, "Commit": "1", "generateModule": generate}


def _one_of(roles: Iterable[str]) -> str:
    """An expression of LemonLDAP::NG: whether somebody has one of these roles; 0 for no role."""
    listed = "|".join(sorted(roles))
    return f"$role =~ /^(?:{listed})$/ and $kind eq 'person' ? 1 : 0" if listed else "0"


def identity_configuration(site: Mapping[str, Any]) -> dict[str, Any]:
    """The whole configuration, for ``lmConf-1.json``.

    :param site: ``name`` (of the archive), ``cookie``, ``url`` (of the login pages, if a request does not say), ``key``
        (a secret of 32 characters or more), ``second_factor_roles``, ``session_minutes``, ``idle_minutes``,
        ``failures_allowed``, ``lockout_minutes``, ``shortest_password`` and ``providers`` (``orthweb_login_providers``)
    """
    return {
        "cfgNum": 1,
        "cfgDate": 1,
        "cfgVersion": VERSION,
        "cfgAuthor": "orthweb",
        "key": site["key"],
        **_addresses(site),
        **_accounts(site),
        **_sessions(site),
        **_second_factors(site),
        **_wrong_passwords(site),
        **_pages(site),
        **_handlers(site),
        "customPlugins": "Orthweb::Attempts, Orthweb::PasswordLink",
        **login_providers.settings(site["providers"]),
    }


def _addresses(site: Mapping[str, Any]) -> dict[str, Any]:
    # nginx gives the address of each request: a host has several names, and a port for Orthanc's own pages.
    return {
        "portal": f"$ENV{{LLPORTAL}} || '{site['url']}'",
        "domain": "",
        "cookieName": site["cookie"],
        "securedCookie": 1,
        "httpOnly": 1,
        "sameSite": "Lax",
        "corsEnabled": 0,
        "crossDomain": 0,
        "reloadUrls": {},
    }


def _accounts(site: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "authentication": "DBI",
        "userDB": "Same",
        "passwordDB": "DBI",
        "dbiAuthChain": DATABASE,
        "dbiAuthTable": "accounts",
        "dbiUserTable": "accounts",
        "dbiAuthLoginCol": "name",
        "dbiAuthPasswordCol": "password",
        # By this, its page for a new password finds whose it is. Names are unique.
        "dbiMailCol": "name",
        "userPivot": "name",
        # Without a scheme in front, a value would be taken for a password in clear text; the table allows $6$ only.
        "dbiDynamicHashEnabled": 1,
        "dbiDynamicHashValidSchemes": "",
        "dbiDynamicHashValidSaltedSchemes": "unixcrypt6",
        "dbiDynamicHashNewPasswordScheme": "unixcrypt6",
        "dbiExportedVars": {"role": "role", "kind": "kind", "uid": "name", "mail": "mail"},
        "userControl": r"^[\w.@-]{1,128}$(?!\n)",
        "exportedVars": {},
        "groups": {},
        "macros": {"_whatToTrace": "$_user"},
        "whatToTrace": "_whatToTrace",
        "passwordPolicyActivation": 1,
        "passwordPolicyMinSize": site["shortest_password"],
        "portalDisplayPasswordPolicy": 1,
        "portalRequireOldPassword": 1,
        "hideOldPassword": 0,
        "mailOnPasswordChange": 0,
        # How often somebody with a link may try passwords that are refused, on one page.
        "passwordResetAllowedRetries": 20,
    }


def _sessions(site: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "globalStorage": STORE,
        "globalStorageOptions": _store("sessions"),
        "persistentStorage": STORE,
        "persistentStorageOptions": _store("psessions"),
        # Hosts share the database, and nothing else. A session that has ended must not live on in a host's own cache.
        "localSessionStorage": "",
        "localSessionStorageOptions": {},
        "handlerInternalCache": 4,
        "hashedSessionStore": 1,
        "tokenUseGlobalStorage": 1,
        "timeout": site["session_minutes"] * 60,
        "timeoutActivity": site["idle_minutes"] * 60,
        "timeoutActivityInterval": 60,
    }


def _second_factors(site: Mapping[str, Any]) -> dict[str, Any]:
    # With a level, an account that has a factor must show it before it can enrol another one.
    needed = _one_of(site["second_factor_roles"])
    elsewhere = login_providers.elsewhere(site["providers"])
    return {
        "totp2fAuthnLevel": 5,
        "webauthn2fAuthnLevel": 5,
        "totp2fActivation": 1,
        "totp2fSelfRegistration": 1,
        "totp2fIssuer": site["name"],
        "totp2fEncryptSecret": 1,
        "webauthn2fActivation": 1,
        "webauthn2fSelfRegistration": 1,
        "webauthnRpName": site["name"],
        "webauthn2fUserVerification": "preferred",
        "sfRequired": needed if elsewhere == "0" else f"!({elsewhere}) && ({needed})",
        "sfManagerRule": "$kind eq 'person' ? 1 : 0",
    }


def _wrong_passwords(site: Mapping[str, Any]) -> dict[str, Any]:
    # Counted in the database for each account, for the form and HTTP Basic alike.
    allowed = site["failures_allowed"]
    return {
        "loginHistoryEnabled": 1,
        "failedLoginNumber": allowed + 1,
        "successLoginNumber": 5,
        "bruteForceProtection": 1,
        "bruteForceProtectionIncrementalTempo": 0,
        "bruteForceProtectionMaxFailed": allowed,
        "bruteForceProtectionTempo": site["lockout_minutes"] * 60,
        # It looks back for this long, times one more than are allowed.
        "bruteForceProtectionMaxAge": site["lockout_minutes"] * 60 // (allowed + 1),
    }


def _pages(site: Mapping[str, Any]) -> dict[str, Any]:
    def application(order: int, name: str, uri: str, description: str, rule: str) -> dict[str, Any]:
        options = {"name": name, "uri": uri, "description": description, "display": rule}
        return {"type": "application", "order": order, "options": options}

    return {
        "portalSkin": "bootstrap",
        "portalMainLogo": "",
        "portalSkinBackground": "",
        "portalAntiFrame": 1,
        "cspFormAction": "'self'",
        "cspFrameAncestors": "'none'",
        "portalDisplayRegister": 0,
        "portalDisplayResetPassword": 0,
        "portalDisplayOidcConsents": 0,
        "portalDisplayLoginHistory": 1,
        "portalDisplayLogout": 1,
        "portalDisplayChangePassword": "$_auth eq 'DBI' and $kind eq 'person'",
        "portalCheckLogins": 0,
        "applicationList": {
            "1archive": {
                "catname": site["name"],
                "type": "category",
                "viewer": application(1, "Viewer", "/", "", "$role ne 'uploader'"),
                "archive": application(2, "Archive", "/archive/", "", "on"),
            }
        },
        "captcha_login_enabled": 0,
        "captcha_mail_enabled": 0,
        "captcha_register_enabled": 0,
        "notification": 0,
        "checkUser": 0,
        "checkState": 1,
        "checkStateSecret": "orthweb",
    }


def _handlers(site: Mapping[str, Any]) -> dict[str, Any]:
    # For a moment, there is a session for HTTP Basic before its second factor is asked for.
    without_second_factor = f"!has2f() and !({_one_of(site['second_factor_roles'])})"
    rules = {
        "web": "$access ? 0 : 1",
        "basic": without_second_factor,
        # Sessions that no login has begun (roles/identity/files/access.sql), each for its own door only.
        "bearer": "$access eq 'token'",
        "share": "$access eq 'share'",
    }
    headers = {"X-Account": "$_whatToTrace", "X-Role": "$role", "X-Kind": "$kind", "X-Study": "$study"}
    return {
        # nginx calls the login pages by the last of these names.
        "locationRules": {**{host: {"default": rules[host]} for host in HANDLERS}, "portal": {"default": "accept"}},
        "exportedHeaders": {host: dict(headers) for host in HANDLERS},
        "vhostOptions": {
            host: {"vhostType": kind, "vhostHttps": 1, "vhostPort": -1} for host, kind in HANDLERS.items()
        },
        # The form has a token against requests of other sites. HTTP Basic has no form.
        "requireToken": "!$ENV{AuthBasic}",
        "restClockTolerance": 15,
    }


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "identity_configuration": identity_configuration,
            "login_metadata": login_providers.fetched,
            "login_provider_files": login_providers.ca_files,
            "login_provider_marks": login_providers.marks,
            "login_providers_with_saml": login_providers.with_saml,
            "login_saml_choice": login_providers.saml_choice,
            "login_saml_metadata": login_providers.saml_metadata,
        }
