# SPDX-License-Identifier: GPL-3.0-or-later
"""What an ACME CA would refuse, before it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.acme import acme_problems

NAMES = ["pacs.clinic.de"]
HTTP = {"email": "it@clinic.de", "agree_to_terms": True, "challenge": "http-01"}
OWN = {**HTTP, "directory": "https://ca.clinic.local/acme/directory"}


@pytest.fixture
def dns(tmp_path: Path) -> dict[str, object]:
    credentials = tmp_path / "credentials.ini"
    credentials.touch(mode=0o600)
    return {**HTTP, "challenge": "dns-01", "dns_provider": "cloudflare", "dns_credentials": str(credentials)}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, ["localhost"]),
        ("of the wrong type, which is said elsewhere", ["localhost"]),
        (HTTP, NAMES),
        ({**HTTP, "agree_to_terms": "true"}, NAMES),  # as -e gives it
        ({**HTTP, "names": ["pacs.clinic.de", "archive.clinic.de"]}, NAMES),
        (HTTP, []),  # on AWS, before there is a host
        (OWN, ["pacs.clinic.local"]),
        (OWN, ["pacs"]),
    ],
)
def test_what_is_right(given: object, names: list[str]) -> None:
    assert list(acme_problems(given, names)) == []


def test_dns_01_is_right(dns: dict[str, object]) -> None:
    assert list(acme_problems({**dns, "dns_propagation_seconds": "30"}, NAMES)) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mail": "x"}, "orthweb_acme has unknown keys: mail (did you mean email?)."),
        ({"email": ""}, "orthweb_acme.email is missing: set the address"),
        ({"email": "it@clinic"}, "orthweb_acme.email is it@clinic: set the address"),
        ({"agree_to_terms": False}, "orthweb_acme.agree_to_terms is not true: read the CA's terms"),
        ({"challenge": "tls-alpn-01"}, "orthweb_acme.challenge is tls-alpn-01: choose http-01 or dns-01."),
        ({"challenge": None}, "orthweb_acme.challenge is missing: choose http-01 or dns-01."),
        (
            {"directory": "http://ca.clinic.de/dir"},
            "orthweb_acme.directory is 'http://ca.clinic.de/dir': set the https",
        ),
        ({"ca_certificate": "/nonexistent"}, "orthweb_acme.ca_certificate is /nonexistent: set the path"),
        ({"ca_certificate": __file__}, f"orthweb_acme.ca_certificate is {__file__}: set the path"),
        ({"dns_provider": "desec"}, "orthweb_acme has dns_provider, which http-01 does not use"),
        ({"names": "pacs.clinic.de"}, "orthweb_acme.names is 'pacs.clinic.de': use a list of names."),
        ({"names": ["www.clinic.de"]}, "orthweb_acme.names lacks orthweb_server_name (pacs.clinic.de)"),
        ({"names": [*NAMES, "a b"]}, "orthweb_acme: 'a b' is not a DNS name"),
        (
            {"directory": "https://acme-staging-v02.api.letsencrypt.org/directory"},
            "orthweb_acme.directory is for trials, and nothing trusts its certificates",
        ),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], said: str) -> None:
    (problem,) = acme_problems({**HTTP, **changes}, NAMES)
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("192.0.2.7", "192.0.2.7 is an address, and an ACME CA issues for names in DNS"),
        ("2001:db8::7", "2001:db8::7 is an address"),
        ("localhost", "localhost is not a name in public DNS"),
        ("pacs", "pacs is not a name in public DNS"),
        ("pacs.clinic.local", "pacs.clinic.local is not a name in public DNS"),
        ("ec2-192-0-2-7.compute-1.amazonaws.com", "ec2-192-0-2-7.compute-1.amazonaws.com is Amazon's"),
    ],
)
def test_names_that_no_public_ca_checks(name: str, said: str) -> None:
    (problem,) = acme_problems(HTTP, [name])
    assert problem.startswith(f"orthweb_acme: {said}")


@pytest.mark.parametrize("name", ["localhost", "192.0.2.7"])
def test_names_that_no_ca_checks(name: str) -> None:
    assert len(list(acme_problems(OWN, [name]))) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dns_provider": "cloudfare"}, "orthweb_acme.dns_provider is cloudfare: did you mean cloudflare?"),
        ({"dns_provider": None}, "orthweb_acme.dns_provider is missing: choose cloudflare, desec, infomaniak"),
        ({"dns_credentials": "/nonexistent"}, "orthweb_acme.dns_credentials is /nonexistent: set the path of a file"),
        ({"dns_propagation_seconds": "a minute"}, "orthweb_acme.dns_propagation_seconds is 'a minute': use a whole"),
    ],
)
def test_what_is_wrong_with_dns_01(dns: dict[str, object], changes: dict[str, object], said: str) -> None:
    (problem,) = acme_problems({**dns, **changes}, NAMES)
    assert problem.startswith(said)


def test_credentials_that_others_can_read(dns: dict[str, object]) -> None:
    Path(str(dns["dns_credentials"])).chmod(0o640)
    (problem,) = acme_problems(dns, NAMES)
    assert problem.endswith(f"Run chmod 600 {dns['dns_credentials']}.")


def test_everything_is_said_at_once() -> None:
    problems = list(acme_problems({"challenge": "dns-01", "directory": "ca"}, ["192.0.2.7"]))
    assert len(problems) == 6
