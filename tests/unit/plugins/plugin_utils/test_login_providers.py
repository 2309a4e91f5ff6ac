# SPDX-License-Identifier: GPL-3.0-or-later
"""What LemonLDAP::NG is told about directories and identity providers: who gets in as whom, and with which role."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.filter.identity_configuration import identity_configuration
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.login_providers import (
    LOCAL,
    ca_files,
    elsewhere,
    fetched,
    marks,
    saml_choice,
    saml_metadata,
    settings,
    with_saml,
)

from ..filter.test_identity_configuration import SITE
from .preflight.test_login_providers import LDAP, OIDC

LDAP_WITH_CA = {**LDAP, "ca_certificate": "/ca.crt"}


def of_choice(provider: dict[str, Any]) -> dict[str, Any]:
    [told] = [value for key, value in settings([provider])["authChoiceModules"].items() if key != LOCAL]
    return json.loads(told.split(";", 5)[5])


def test_without_providers_nothing_changes() -> None:
    made = identity_configuration(SITE)
    assert settings([]) == {} and made["authentication"] == "DBI" and made["cspFormAction"] == "'self'"
    assert made["macros"] == {"_whatToTrace": "$_user"}


def test_programs_have_local_accounts() -> None:
    made = identity_configuration({**SITE, "providers": [LDAP, OIDC]})
    assert made["authChoiceAuthBasic"] == LOCAL
    assert sorted(made["authChoiceModules"]) == ["01_clinic", "02_sso", LOCAL]
    assert made["authChoiceModules"][LOCAL] == "DBI;DBI;DBI;;;{}"
    assert made["locationRules"]["basic"]["default"].startswith("!has2f()")


def test_a_directory_is_encrypted_and_verified() -> None:
    told = of_choice(LDAP_WITH_CA)
    assert told["ldapServer"] == "ldaps://dc1.clinic.example,ldaps://[2001:db8::1]:3269"
    assert (told["ldapVerify"], told["ldapCAFile"]) == ("require", "/etc/lemonldap-ng/clinic-ca.crt")
    assert ca_files([LDAP_WITH_CA, OIDC]) == {"clinic-ca.crt": "/ca.crt"}
    assert "ldapCAFile" not in of_choice(LDAP), "then the system's CAs count"
    assert of_choice({**LDAP, "start_tls": True})["ldapServer"].startswith("ldap+tls://dc1")


def test_people_of_active_directory() -> None:
    told = of_choice({**LDAP, "active_directory": True})
    assert told["AuthLDAPFilter"] == "(&(sAMAccountName=$user)(&(objectCategory=person)(objectClass=user)))"
    assert (told["ldapGroupObjectClass"], told["ldapGroupRecursive"]) == ("group", 1)


def test_semicolons_do_not_end_a_secret() -> None:
    """LemonLDAP::NG splits modules and settings at them."""
    told = settings([{**LDAP, "bind_password": 'a; b"c'}])["authChoiceModules"]["01_clinic"]
    assert told.count(";") == 5
    assert of_choice({**LDAP, "bind_password": 'a; b"c'})["managerPassword"] == 'a; b"c'


def test_whose_account_it_is() -> None:
    macro = settings([LDAP])["macros"]["_whatToTrace"]
    given = r"$provided_name =~ /^[A-Za-z0-9._\@-]{1,64}\z/ ? lc($provided_name) . '@clinic' : ''"
    assert macro == f"$_choice eq '01_clinic' ? ({given}) : $_choice eq '{LOCAL}' ? ($_user) : ''"


def test_the_first_role_of_the_order_counts() -> None:
    given = {**LDAP, "roles": {"reader": ["a", "b"], "admin": ["c"]}}
    role = "$hGroups->{'c'}) ? 'admin' : ($hGroups->{'a'} or $hGroups->{'b'}) ? 'reader' : ''"
    macro = settings([given])["macros"]["role"]
    local = f"$_choice eq '{LOCAL}' ? ($role) : ''"
    assert macro == f"$_choice eq '01_clinic' ? (!($_whatToTrace) ? '' : ({role}) : {local}"


def test_claims_are_compared_whole() -> None:
    macro = settings([{**OIDC, "roles": {"reader": ["pacs"]}}])["macros"]["role"]
    assert "(index(chr(30) . ($provided_groups // '') . chr(30), chr(30) . 'pacs' . chr(30)) >= 0) ? 'reader'" in macro
    assert settings([OIDC])["multiValuesSeparator"] == chr(30)


def test_an_address_that_is_not_verified_gives_no_role() -> None:
    for claims in ({"account_claim": "email"}, {"groups_claim": "email"}):
        assert "!($_whatToTrace and $provided_mail_verified) ? ''" in settings([{**OIDC, **claims}])["macros"]["role"]
    assert "verified" not in settings([OIDC])["macros"]["role"]


def test_who_has_no_role_gets_no_session() -> None:
    assert settings([LDAP])["grantSessionRules"] == {"##role": "$role ne ''"}


def test_a_provider_may_ask_for_second_factors_itself() -> None:
    assert elsewhere([LDAP, OIDC]) == "0"
    providers = [LDAP, {**OIDC, "second_factor": "provider"}]
    assert elsewhere(providers) == "$_choice eq '02_sso'"
    rule = identity_configuration({**SITE, "providers": providers})["sfRequired"]
    assert rule.startswith("!($_choice eq '02_sso') && ($role =~")
    assert identity_configuration({**SITE, "providers": [LDAP]})["sfRequired"].startswith("$role =~")


def test_tokens_are_verified() -> None:
    told = of_choice(OIDC)
    options = told["oidcOPMetaDataOptions"]["sso"]
    for key in ("CheckJWTSignature", "UseNonce"):
        assert options[f"oidcOPMetaDataOptions{key}"] == 1
    assert told["lwpSslOpts"] == {"verify_hostname": 1}
    assert of_choice({**OIDC, "ca_certificate": "/ca.crt"})["lwpSslOpts"]["SSL_ca_file"].endswith("/sso-ca.crt")
    assert fetched([LDAP, OIDC]) == [{"choice": "02_sso", "name": "sso", "issuer": OIDC["issuer"], "ca": ""}]


def test_saml_answers_are_signed_and_asked_for() -> None:
    given = {"name": "partner", "kind": "saml", "metadata": "/m.xml", "roles": {"reader": ["radiology"]}}
    [read] = with_saml([given], "<xml; />", "the key", "the certificate")
    told = settings([read])
    options = told["samlIDPMetaDataOptions"]["partner"]
    for key in ("CheckSSOMessageSignature", "CheckTime", "CheckAudience"):
        assert options[f"samlIDPMetaDataOptions{key}"] == 1
    assert options["samlIDPMetaDataOptionsAllowLoginFromIDP"] == 0
    assert told["samlIDPMetaDataXML"] == {"partner": {"samlIDPMetaDataXML": "<xml; />"}}
    assert told["samlServicePrivateKeySig"] == "the key"
    assert (saml_choice([LDAP, given]), saml_metadata([LDAP, given])) == ("02_partner", "/m.xml")
    assert (saml_choice([LDAP]), saml_metadata([LDAP])) == ("", "")
    assert settings([read])["cspFormAction"] == "'self' https:"
    assert marks([read]) == marks([given]), "the role identity has both"


def test_a_change_ends_sessions_and_tells_no_secret() -> None:
    before = marks([LDAP])
    assert before == marks([{**LDAP, "bind_password": "another"}])
    for changes in ({"roles": {"admin": ["pacs-readers"]}}, {"servers": ["dc2.clinic.example"]}, {"name": "other"}):
        assert marks([{**LDAP, **changes}]) != before
