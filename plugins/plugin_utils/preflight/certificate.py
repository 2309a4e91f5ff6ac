# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a certificate that a person gave for modalities and browsers, as sentences."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.facts import (
    not_valid_after,
    not_valid_before,
    same_key,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki.library import library_problem
from ansible_collections.cellcs.orthweb.plugins.module_utils.pki_survey.links import is_issued_by

from .words import unknown_keys

with suppress(ImportError):  # library_problem says so
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

FILES = ("certificate", "private_key", "ca_certificate")
CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def given_certificate_problems(given: Mapping[str, Any], server_name: str, direct_name: str = "") -> Iterator[str]:
    """Of ``orthweb_server_certificate``: paths of ``certificate``, ``private_key`` and ``ca_certificate``."""
    missing = [key for key in FILES if not Path(str(given.get(key) or "")).is_file()]
    for key in missing:
        yield (
            f"orthweb_server_certificate.{key} is {given.get(key) or 'missing'}: set the path of a file on the "
            "controller."
        )
    unknown = unknown_keys(given, FILES)
    if unknown:
        yield f"orthweb_server_certificate {unknown}"
    if not missing and not unknown:
        texts = {key: Path(str(given[key])).read_text(encoding="utf-8", errors="replace") for key in FILES}
        for problem in server_certificate_problems(texts, server_name, direct_name):
            yield f"orthweb_server_certificate: {problem}"


def server_certificate_problems(given: dict[str, str], server_name: str, direct_name: str = "") -> list[str]:
    """``given`` has the text of ``certificate`` (with its chain), ``private_key`` and ``ca_certificate``, all PEM.

    :param direct_name: by which the controller reaches the host past a load balancer; empty for none
    """
    missing = library_problem()
    if missing:
        raise AnsibleFilterError(missing["msg"])
    try:
        chain = _certificates(given, "certificate")
        authorities = _certificates(given, "ca_certificate")
        return [*_key_problems(given, chain[0]), *_certificate_problems(chain, authorities, server_name, direct_name)]
    except ValueError as error:
        return [str(error)]


def _certificates(given: dict[str, str], key: str) -> list[x509.Certificate]:
    refusal = f"{key} has no certificate in PEM format (-----BEGIN CERTIFICATE-----)."
    try:
        found = [x509.load_pem_x509_certificate(pem.encode()) for pem in CERTIFICATE.findall(given[key])]
    except ValueError as error:
        raise ValueError(refusal) from error
    if not found:
        raise ValueError(refusal)
    return found


def _key_problems(given: dict[str, str], leaf: x509.Certificate) -> Iterator[str]:
    try:
        key = load_pem_private_key(given["private_key"].encode(), None)
    except TypeError:
        yield "private_key is encrypted with a passphrase, and nobody can enter it when nginx starts: decrypt it."
        return
    except ValueError:
        yield "private_key has no private key in PEM format (-----BEGIN PRIVATE KEY-----)."
        return
    if not same_key(key.public_key(), leaf.public_key()):
        yield "private_key does not belong to certificate: the server's own certificate must be the first in its file."


def _certificate_problems(
    chain: list[x509.Certificate], authorities: list[x509.Certificate], server_name: str, direct_name: str
) -> Iterator[str]:
    leaf, now = chain[0], dt.datetime.now(dt.UTC)
    if not_valid_after(leaf) <= now:
        yield f"certificate expired on {not_valid_after(leaf):%Y-%m-%d}: get a new one."
    if not_valid_before(leaf) > now:
        yield f"certificate is not valid before {not_valid_before(leaf):%Y-%m-%d}."
    names = _names(leaf)
    if not any(_covers(name, server_name.lower()) for name in names):
        yield (
            f"certificate is not valid for orthweb_server_name ({server_name}) but for "
            f"{', '.join(names) or 'no name'}: set orthweb_server_name to one of these, or get a certificate for that "
            "name."
        )
    if direct_name and not any(_covers(name, direct_name.lower()) for name in names):
        yield (
            f"certificate is not valid for orthweb_direct_name ({direct_name}), by which this host is checked while it "
            'is drained: get a certificate for that name, too, or set orthweb_direct_name to "".'
        )
    if not _leads_to(leaf, chain[1:], authorities):
        yield (
            "certificate does not chain to ca_certificate: its file needs the intermediate CAs, too, after the "
            "server's own certificate, and ca_certificate must be the CA at the end of that chain."
        )


def _names(leaf: x509.Certificate) -> list[str]:
    try:
        alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = [str(address) for address in alternative.get_values_for_type(x509.IPAddress)]
    return [name.lower() for name in alternative.get_values_for_type(x509.DNSName)] + addresses


def _covers(carried: str, name: str) -> bool:
    """RFC 6125 section 6.4.3: an asterisk stands for one label, the leftmost."""
    try:
        return ipaddress.ip_address(carried) == ipaddress.ip_address(name)
    except ValueError:
        return carried == name or (carried.startswith("*.") and name.partition(".")[2] == carried[2:])


def _leads_to(leaf: x509.Certificate, between: list[x509.Certificate], authorities: list[x509.Certificate]) -> bool:
    current = leaf
    for _step in range(len(between) + 1):
        if current in authorities or any(is_issued_by(current, authority) for authority in authorities):
            return True
        issuers = [candidate for candidate in between if candidate != current and is_issued_by(current, candidate)]
        if not issuers:
            return False
        current = issuers[0]
    return False
