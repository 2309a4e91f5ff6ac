# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to what: copies of one certificate, its issuer, its key, and the list that revokes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ..pki import facts
from ..pki.layout import Layout, parse_record_name
from .items import FoundCertificate, FoundCrl, FoundKey, Place, has_pki_ending

with suppress(ImportError):  # the module says so, with missing_required_lib
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

P = ParamSpec("P")
T = TypeVar("T")

# Of CAs with one name, so many are tried. One that was renewed has a few; thousands are there to keep us busy.
_MAX_NAMESAKES = 16


@dataclass(frozen=True, slots=True)
class Known:
    """A certificate, once, however many files it is in; it is named after the first of ``places``.

    ``superseded`` is whether only the ledger of a :class:`Layout` still has it.
    """

    value: x509.Certificate
    fingerprint: str
    public_key: bytes | None
    places: tuple[Place, ...]
    superseded: bool


@dataclass(frozen=True, slots=True)
class KnownList:
    """A revocation list, with the CA whose signature it bears, if that was found."""

    found: FoundCrl
    issuer: Known | None


def attempt(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """What ``read`` gives; ``None`` for a part of a stranger's certificate that no library makes sense of."""
    try:
        return read(*args, **kwargs)
    except Exception:  # cryptography parses when asked, and raises what it likes
        return None


def know(found: Iterable[FoundCertificate]) -> list[Known]:
    """The distinct certificates. A file that is just the certificate goes before a bundle that has it too, and one
    with an ending that people give goes before OpenSSL's links by hash (``4bfab552.0``).
    """
    in_file: dict[str, int] = defaultdict(int)
    copies: dict[str, list[FoundCertificate]] = defaultdict(list)
    for item in found:
        in_file[item.place.path] += 1
        copies[facts.fingerprint_sha256(item.value)].append(item)

    def rank(item: FoundCertificate) -> tuple[bool, int, bool, int, str, int]:
        path = item.place.path
        return (
            item.in_pkcs12,
            in_file[path],
            not has_pki_ending(path),
            len(path),
            path,
            item.place.position,
        )

    known = []
    for fingerprint, same in copies.items():
        certificate = same[0].value
        places = tuple(item.place for item in sorted(same, key=rank))
        superseded = all(is_ledger_record(place.path) for place in places)
        known.append(Known(certificate, fingerprint, public_key_of(certificate), places, superseded))
    return sorted(known, key=lambda entry: (entry.superseded, entry.places[0].path, entry.places[0].position))


def is_ledger_record(path: str) -> bool:
    """Whether it is a file of the ledger that module ``pki`` keeps of all that it ever issued."""
    record = Path(path)
    layout = Layout(record.parent.parent)
    return record.parent == layout.issued and parse_record_name(record) is not None and layout.lock.exists()


def public_key_of(certificate: x509.Certificate) -> bytes | None:
    return attempt(lambda: encoded_key(certificate.public_key()))


def encoded_key(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_paths(keys: Iterable[FoundKey]) -> Mapping[bytes, list[str]]:
    """The files of each private key, by its public half."""
    paths: dict[bytes, list[str]] = defaultdict(list)
    for key in keys:
        encoded = attempt(encoded_key, key.public) if key.public else None
        if encoded is not None and key.place.path not in paths[encoded]:
            paths[encoded].append(key.place.path)
    return paths


# --- issuers


def basic_constraints(certificate: x509.Certificate) -> x509.BasicConstraints | None:
    return attempt(lambda: certificate.extensions.get_extension_for_class(x509.BasicConstraints).value)


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate.issuer != issuer.subject:
        return False
    if not hasattr(certificate, "verify_directly_issued_by"):  # cryptography before 40
        return facts.is_signed_by(certificate, issuer.public_key())
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError, ValueError, UnsupportedAlgorithm):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Authorities:
    """The CA certificates found, by their subject."""

    by_subject: Mapping[x509.Name, Sequence[Known]]

    @classmethod
    def among(cls, certificates: Iterable[Known]) -> Authorities:
        by_subject: dict[x509.Name, list[Known]] = defaultdict(list)
        for known in certificates:
            subject = attempt(_subject, known.value)
            if subject is not None and len(by_subject[subject]) < _MAX_NAMESAKES and _may_issue(known.value):
                by_subject[subject].append(known)
        return cls(by_subject)

    def issuer_of(self, certificate: x509.Certificate) -> Known | None:
        candidates = self.by_subject.get(certificate.issuer, ())
        return next((known for known in candidates if attempt(is_issued_by, certificate, known.value)), None)

    def issuer_of_list(self, crl: x509.CertificateRevocationList) -> Known | None:
        candidates = self.by_subject.get(crl.issuer, ())
        return next((known for known in candidates if attempt(_is_list_of, crl, known.value)), None)


def _may_issue(certificate: x509.Certificate) -> bool:
    """A CA, or a certificate from before version 3, which cannot say so."""
    constraints = basic_constraints(certificate)
    return constraints.ca if constraints else certificate.version is x509.Version.v1


def _is_list_of(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    return crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # other kinds raise


def _subject(certificate: x509.Certificate) -> x509.Name:
    return certificate.subject


def revoked_by(lists: Iterable[KnownList]) -> Mapping[x509.Name, Mapping[int, datetime]]:
    """Serial numbers and moments, by the name of the CA, from the lists whose signature holds."""
    revoked: dict[x509.Name, dict[int, datetime]] = defaultdict(dict)
    for entry in lists:
        if entry.issuer is not None:
            moments = attempt(facts.revocations, entry.found.value)
            revoked[entry.issuer.value.subject].update(moments or {})
    return revoked
