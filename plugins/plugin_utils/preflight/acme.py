# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate from an ACME CA (RFC 8555): what it would refuse later, and count as a failure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.names import host_name_problem
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.modalities import is_address

from .files import has_certificate
from .words import listed, nearest, unknown_keys

KEYS = (
    "agree_to_terms",
    "ca_certificate",
    "challenge",
    "directory",
    "dns_credentials",
    "dns_propagation_seconds",
    "dns_provider",
    "email",
    "names",
)
CHALLENGES = ("http-01", "dns-01")
# certbot's plugins in files/images/acme/Dockerfile.
PROVIDERS = ("cloudflare", "desec", "infomaniak", "rfc2136", "route53")
DNS_KEYS = ("dns_credentials", "dns_propagation_seconds", "dns_provider")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
NO_PUBLIC_NAME = re.compile(r"(^|\.)(localhost|local|internal|lan|home\.arpa|test|invalid|example)$")
LETS_ENCRYPT = "letsencrypt.org"
STAGING = "acme-staging-v02.api.letsencrypt.org"


def acme_problems(given: object, server_names: Sequence[object]) -> Iterator[str]:
    """Of ``orthweb_acme``; none if it is empty, or not a dictionary, which is said elsewhere.

    :param server_names: ``orthweb_server_name``, which counts if there are no ``names``; none if it is not known yet
    """
    if not given or not isinstance(given, dict):
        return
    if problem := unknown_keys(given, KEYS):
        yield f"orthweb_acme {problem}"
    yield from (f"orthweb_acme.{problem}" for problem in _own_problems(given))
    yield from _challenge_problems(given)
    is_lets_encrypt = LETS_ENCRYPT in str(given.get("directory") or LETS_ENCRYPT)
    names = given.get("names") or server_names
    if not isinstance(names, (list, tuple)):
        yield f"orthweb_acme.names is {names!r}: use a list of names."
        return
    for name in names:
        if problem := _name_problem(str(name), is_lets_encrypt):
            yield f"orthweb_acme: {problem}."
    for name in server_names:
        if name not in names:
            yield f"orthweb_acme.names lacks orthweb_server_name ({name}), by which the portal is opened: add it."


def _own_problems(given: Mapping[str, Any]) -> Iterator[str]:
    email = given.get("email")
    if not EMAIL.fullmatch(str(email or "")):
        yield f"email is {email or 'missing'}: set the address to which the CA writes if something is wrong."
    if str(given.get("agree_to_terms")).lower() not in ("true", "yes"):
        yield "agree_to_terms is not true: read the CA's terms of service, and set it if you agree."
    directory = given.get("directory")
    if directory and not re.fullmatch(r"https://[^\s/]+/\S*", str(directory)):
        yield f"directory is {directory!r}: set the https URL of the CA's directory."
    if STAGING in str(directory) and not given.get("ca_certificate"):
        yield (
            "directory is for trials, and nothing trusts its certificates: set orthweb_acme.ca_certificate to a file "
            "with the roots that https://letsencrypt.org/docs/staging-environment/ names."
        )
    file = given.get("ca_certificate")
    if file and not has_certificate(file):
        yield f"ca_certificate is {file}: set the path of a certificate in PEM format on the controller."


def _challenge_problems(given: Mapping[str, Any]) -> Iterator[str]:
    challenge, provider, file = (given.get(key) for key in ("challenge", "dns_provider", "dns_credentials"))
    if challenge not in CHALLENGES:
        yield f"orthweb_acme.challenge is {challenge or 'missing'}: choose {listed(CHALLENGES, 'or')}."
    if challenge == "http-01" and (useless := [key for key in DNS_KEYS if given.get(key)]):
        yield f"orthweb_acme has {listed(useless)}, which http-01 does not use: remove them, or choose dns-01."
    if challenge != "dns-01":
        return
    if provider not in PROVIDERS:
        hint = nearest(str(provider or ""), PROVIDERS) or f"choose {listed(PROVIDERS, 'or')}."
        yield f"orthweb_acme.dns_provider is {provider or 'missing'}: {hint}"
    if not file or not Path(str(file)).is_file():
        yield f"orthweb_acme.dns_credentials is {file or 'missing'}: set the path of a file on the controller."
    elif Path(str(file)).stat().st_mode & 0o077:
        yield f"orthweb_acme.dns_credentials: others can read {file}. Run chmod 600 {file}."
    seconds = given.get("dns_propagation_seconds", 0)
    if not str(seconds).isdigit():
        yield f"orthweb_acme.dns_propagation_seconds is {seconds!r}: use a whole number."


def _name_problem(name: str, is_lets_encrypt: bool) -> str:
    """Half a sentence, without its end."""
    if is_address(name):
        return f"{name} is an address, and an ACME CA issues for names in DNS: use one"
    if problem := host_name_problem(name):
        return problem.rstrip(".")
    if name == "localhost" or (is_lets_encrypt and ("." not in name or NO_PUBLIC_NAME.search(name))):
        return f"{name} is not a name in public DNS, so that no CA can check it: use one"
    if is_lets_encrypt and name.endswith(".amazonaws.com"):
        return f"{name} is Amazon's, for which Let's Encrypt does not issue: use a name of your own"
    return ""
