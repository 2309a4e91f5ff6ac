# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the folder now. A folder that is not there yet is an empty one.

A leaf's file that cannot be understood is a finding, since a new one can be made. The CA's key and certificate are
not replaceable: whatever is wrong with them is an error of its own, and raised here, before anything is planned.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from .errors import (
    CaCertificateDamagedError,
    CaCertificateMismatchError,
    CaKeyDamagedError,
    CaKeyMissingError,
    CaKeyPassphraseError,
    CaKeyPermissionError,
    CaKeyTypeError,
    FileUnreadableError,
    ForeignCaError,
    PkiError,
)
from .facts import is_consistent, key_type_of, revocations, same_key, subject_name
from .layout import Layout, parse_record_name
from .spec import CaSpec, PkiSpec

with suppress(ImportError):  # the module says so, with missing_required_lib
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

if TYPE_CHECKING:
    from .authority import PrivateKey

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A file's content, or else why there is none: ``problem`` is ``missing`` or ``unreadable``."""

    value: T | None = field(repr=False)
    problem: str | None = None
    is_private: bool = True  # nobody but the owner may open it


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentCa:
    """The key is there where the certificate is."""

    key: PrivateKey | None = field(repr=False)
    key_is_private: bool
    key_is_encrypted: bool
    certificate: x509.Certificate | None
    bundle: Found[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentCertificate:
    private_key: Found[PrivateKey]
    certificate: Found[x509.Certificate]
    chain: Found[bytes]
    pkcs12: Found[bytes]


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A line of the ledger; the file's name counts, also where its content is damaged."""

    name: str
    serial: int
    certificate: x509.Certificate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    ca: CurrentCa
    certificates: Mapping[str, CurrentCertificate]
    crl: Found[x509.CertificateRevocationList]
    issued: tuple[IssuedCertificate, ...]
    revoked: Mapping[int, datetime]  # serial number to moment, from the ledger and from the CRL


def read_current(spec: PkiSpec, layout: Layout) -> Current:
    issued = _read_issued(layout)
    ca = _read_ca(spec.ca, layout, anything_issued=bool(issued))
    crl = _read(layout.crl, x509.load_pem_x509_crl)
    return Current(
        ca=ca,
        certificates={
            certificate.name: _read_certificate(layout, certificate.name) for certificate in spec.certificates
        },
        crl=crl,
        issued=issued,
        revoked=_read_revoked(layout, crl.value, ca),
    )


# --- the CA: everything unexpected is refused


def _read_ca(spec: CaSpec, layout: Layout, *, anything_issued: bool) -> CurrentCa:
    certificate = _read_ca_certificate(spec, layout.ca_certificate)
    key_file = _read(layout.ca_key, bytes, unreadable=CaKeyPermissionError)
    key = None
    if key_file.value is not None:
        key = _load_ca_key(key_file.value, spec, layout.ca_key)
    elif certificate is not None or anything_issued:
        raise CaKeyMissingError(f"Reading the CA key {layout.ca_key}", "it is missing, though this CA has issued")
    if key and certificate and not same_key(key.public_key(), certificate.public_key()):
        raise CaCertificateMismatchError(
            f"Comparing {layout.ca_certificate} with {layout.ca_key}", "the certificate is for another key"
        )
    return CurrentCa(
        key=key,
        key_is_private=key_file.is_private,
        key_is_encrypted=_is_encrypted(key_file.value or b""),
        certificate=certificate,
        bundle=_read(layout.ca_bundle, bytes),
    )


def _read_ca_certificate(spec: CaSpec, path: Path) -> x509.Certificate | None:
    found = _read(path, x509.load_pem_x509_certificate)
    if found.problem == "unreadable":
        raise CaCertificateDamagedError(f"Reading the CA certificate {path}", "it is not a whole PEM certificate")
    declared = subject_name(spec.common_name, spec.organization)
    if found.value is not None and found.value.subject != declared:
        raise ForeignCaError(
            f"Looking for the CA '{declared.rfc4514_string()}' in {path}",
            f"it is the certificate of '{found.value.subject.rfc4514_string()}'",
        )
    return found.value


def _load_ca_key(pem: bytes, spec: CaSpec, path: Path) -> PrivateKey:
    tried = f"Reading the CA key {path}"
    encrypted = _is_encrypted(pem)
    if not _is_whole_pem(pem):
        raise CaKeyDamagedError(tried, "it is not a whole PEM private key")
    if encrypted and spec.passphrase is None:
        raise CaKeyPassphraseError(tried, "it is encrypted, and no passphrase was given")
    try:
        # A key that lies open although a passphrase is declared is opened too; the plan then encrypts it.
        key = serialization.load_pem_private_key(pem, spec.passphrase if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if encrypted:
            # Whole on the outside, so the passphrase is what is wrong, as far as anyone without it can tell.
            raise CaKeyPassphraseError(tried, "the passphrase given does not open it") from error
        raise CaKeyDamagedError(tried, f"it is not a usable private key ({error})") from error
    found = key_type_of(key.public_key())  # type: ignore[arg-type]  # other types give None
    if found != spec.key_type:
        raise CaKeyTypeError(tried, f"it is {found or 'of a type of its own'}, and {spec.key_type} is declared")
    return key  # type: ignore[return-value]  # a declared type


_PEM_BODY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----\s(.*?)-----END \1-----", re.DOTALL)


def _is_encrypted(pem: bytes) -> bool:
    return b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in pem or b"\nProc-Type: 4,ENCRYPTED" in pem


def _is_whole_pem(pem: bytes) -> bool:
    """Whether the outside is whole: both PEM lines, Base64 between, and one DER SEQUENCE of the length it names.

    Decryption alone cannot tell a damaged file from a wrong passphrase.
    """
    if b"\nProc-Type: 4,ENCRYPTED" in pem:  # the traditional format has no DER outside its encryption
        return _PEM_BODY.search(pem) is not None
    body = _PEM_BODY.search(pem)
    try:
        der = base64.b64decode(b"".join(body[2].split()), validate=True) if body else b""
    except binascii.Error:
        return False
    if len(der) < 2 or der[0] != 0x30:
        return False
    length, header = der[1], 2
    if length & 0x80:  # the long form (X.690 §8.1.3.5): so many octets of length follow
        header += length & 0x7F
        length = int.from_bytes(der[2:header], "big")
    return len(der) == header + length


# --- leaf certificates and the CRL: what cannot be understood can be made again


def _read_certificate(layout: Layout, name: str) -> CurrentCertificate:
    files = layout.files_of(name)
    return CurrentCertificate(
        private_key=_read(files.private_key, _load_leaf_key),
        certificate=_read(files.certificate, x509.load_pem_x509_certificate),
        chain=_read(files.chain, bytes),
        pkcs12=_read(files.pkcs12, bytes),
    )


def _load_leaf_key(pem: bytes) -> PrivateKey:
    try:
        # OpenSSL's own check tests for primes: 0.2 s for each RSA key of 3072 bits, in every run.
        key = serialization.load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError:  # cryptography 38 does not know that; nor is an encrypted key read this way or the other
        key = serialization.load_pem_private_key(pem, password=None)
    if isinstance(key, rsa.RSAPrivateKey) and not is_consistent(key):
        raise ValueError("the numbers of this RSA key do not belong together")
    return key  # type: ignore[return-value]  # a key of another type is replaced


def _read_issued(layout: Layout) -> tuple[IssuedCertificate, ...]:
    return tuple(
        IssuedCertificate(*named, _read(record, x509.load_pem_x509_certificate).value)
        for record in _list(layout.issued, ".crt")
        if (named := parse_record_name(record))
    )


def _read_revoked(layout: Layout, crl: x509.CertificateRevocationList | None, ca: CurrentCa) -> Mapping[int, datetime]:
    revoked = {}
    if crl is not None and ca.key and crl.is_signature_valid(ca.key.public_key()):
        revoked = revocations(crl)
    for record in _list(layout.issued, ".revoked"):
        if named := parse_record_name(record):
            moment = _read(record, _load_moment).value
            revoked.setdefault(named[1], moment or datetime.fromtimestamp(int(record.stat().st_mtime), UTC))
    return revoked


def _load_moment(text: bytes) -> datetime:
    return datetime.fromisoformat(text.decode().strip()).astimezone(UTC)


# --- files


def _read(path: Path, load: Callable[[bytes], T], *, unreadable: type[PkiError] = FileUnreadableError) -> Found[T]:
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            data = stream.read()
    except FileNotFoundError:
        return Found(None, "missing")
    except OSError as error:
        raise unreadable(f"Reading {path}", f"{error.strerror}") from error
    try:
        return Found(load(data), is_private=not mode & 0o077)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return Found(None, "unreadable")


def _list(folder: Path, suffix: str) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if file.suffix == suffix)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FileUnreadableError(f"Listing {folder}", f"{error.strerror}") from error
