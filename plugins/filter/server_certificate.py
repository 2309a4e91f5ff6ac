# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a certificate that a person gave for modalities and browsers, as sentences."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Callable, Iterator

from ansible.errors import AnsibleFilterError

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    MISSING = ""
except ImportError as error:
    MISSING = str(error)


def server_certificate_problems(given: dict[str, str], server_name: str) -> list[str]:
    """``given`` has the text of ``certificate`` (with its chain), ``private_key`` and ``ca_certificate``, all PEM."""
    if MISSING:
        raise AnsibleFilterError(f"The Python library cryptography is missing on the controller: {MISSING}")
    try:
        chain = _certificates(given, "certificate")
        authorities = _certificates(given, "ca_certificate")
        return [*_key_problems(given, chain[0]), *_certificate_problems(chain, authorities, server_name)]
    except ValueError as error:
        return [str(error)]


def _certificates(given: dict[str, str], key: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(given[key].encode())
    except ValueError as error:
        raise ValueError(f"{key} has no certificate in PEM format (-----BEGIN CERTIFICATE-----).") from error


def _key_problems(given: dict[str, str], leaf: x509.Certificate) -> Iterator[str]:
    try:
        key = load_pem_private_key(given["private_key"].encode(), None)
    except TypeError:
        yield "private_key is locked with a passphrase, which nobody can type at three in the morning: unlock it."
        return
    except ValueError:
        yield "private_key has no private key in PEM format (-----BEGIN PRIVATE KEY-----)."
        return
    shape = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*shape) != leaf.public_key().public_bytes(*shape):
        yield "private_key does not belong to certificate: the server's own certificate must be the first in its file."


def _certificate_problems(
    chain: list[x509.Certificate], authorities: list[x509.Certificate], server_name: str
) -> Iterator[str]:
    leaf, now = chain[0], dt.datetime.now(dt.UTC)
    if leaf.not_valid_after_utc <= now:
        yield f"certificate has ended on {leaf.not_valid_after_utc:%Y-%m-%d}: get a new one."
    if leaf.not_valid_before_utc > now:
        yield f"certificate is not valid before {leaf.not_valid_before_utc:%Y-%m-%d}."
    names = _names(leaf)
    if not any(_covers(name, server_name.lower()) for name in names):
        yield (
            f"certificate does not carry orthweb_server_name ({server_name}) but {', '.join(names) or 'no name'}: "
            "set orthweb_server_name to one of these, or get a certificate that carries it."
        )
    if not _leads_to(leaf, chain[1:], authorities):
        yield (
            "certificate does not lead to ca_certificate: the file of the certificate needs the intermediate CAs too, "
            "behind the server's own, and ca_certificate the CA that they end at."
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
        if current in authorities or any(_issued(current, authority) for authority in authorities):
            return True
        issuers = [candidate for candidate in between if candidate != current and _issued(current, candidate)]
        if not issuers:
            return False
        current = issuers[0]
    return False


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"server_certificate_problems": server_certificate_problems}
