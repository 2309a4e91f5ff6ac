# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the CAs in the folder: the ones in place, and the former ones whose certificates are still in use.

A CA cannot be made again. Whatever is wrong with its key or certificate is an error of its own, and raised here,
before anything is planned.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from . import facts
from .errors import (
    CaCertificateDamagedError,
    CaCertificateMismatchError,
    CaCertificateMissingError,
    CaKeyDamagedError,
    CaKeyMissingError,
    CaKeyPassphraseError,
    CaKeyPermissionError,
    CaKeyTypeError,
    ForeignCaError,
)
from .files import list_files, read_file
from .layout import AuthorityFiles, Layout
from .spec import AuthoritySpec
from .stored_authority import StoredAuthority

with suppress(ImportError):  # the module says so, with missing_required_lib
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from .authority import PrivateKey


def read_former(layout: Layout, spec: AuthoritySpec) -> tuple[StoredAuthority, ...]:
    """The former generations of a CA, the oldest first."""
    found = []
    for file in (*list_files(layout.former, ".crt"), *list_files(layout.former, ".key")):
        stem, _dot, digits = file.stem.rpartition(".")
        if stem == spec.tier and digits.isdecimal():
            files = layout.former_files(spec.tier, int(digits))
            if file == files.private_key:
                if not files.certificate.exists():
                    raise CaCertificateMissingError(
                        f"Reading the former CA certificate {files.certificate}",
                        "it is missing, although its key exists",
                    )
                continue
            certificate = _read_certificate(files.certificate)
            key, mode, encrypted = _read_key(files.private_key, spec)
            _check_pair(files, key, certificate)
            found.append(
                StoredAuthority(
                    tier=spec.tier,
                    generation=int(digits),
                    key=key,
                    key_path=files.private_key,
                    key_mode=mode,
                    key_is_encrypted=encrypted,
                    certificate=certificate,
                )
            )
    return tuple(sorted(found, key=lambda former: former.generation))


def read_in_place(
    layout: Layout,
    spec: AuthoritySpec,
    former: tuple[StoredAuthority, ...],
    below: Sequence[x509.Certificate],
    *,
    has_issued: bool,
    may_be_offline: bool,
) -> StoredAuthority:
    """The CA in place. One that ``has_issued`` must have its key.

    ``below`` are certificates that it may have issued, from which it is known again when its own one is lost.
    A root under which an intermediate CA issues ``may_be_offline``: its certificate is enough, until its key is needed.
    """
    files = layout.authority_files(spec.tier)
    certificate = _read_certificate(files.certificate)
    if certificate is not None:
        _check_name(certificate.subject, spec, files.certificate)
    key, mode, encrypted = _read_key(files.private_key, spec)
    if key is not None and certificate is not None and _was_cut_off(key, certificate, former):
        certificate = None  # of the former generation: the new one was not written any more
    if key is None and (has_issued or certificate) and not (certificate and may_be_offline):
        raise CaKeyMissingError(
            f"Reading the CA key {files.private_key}", "it is missing, although this CA has issued certificates"
        )
    _check_pair(files, key, certificate)
    return StoredAuthority(
        tier=spec.tier,
        generation=_generation(spec, files, key, certificate, former, below),
        key=key,
        key_path=files.private_key,
        key_mode=mode,
        key_is_encrypted=encrypted,
        certificate=certificate,
    )


def _was_cut_off(key: PrivateKey, certificate: x509.Certificate, former: tuple[StoredAuthority, ...]) -> bool:
    """Whether a change of generation ended between the new key and its certificate."""
    return not facts.same_key(key.public_key(), certificate.public_key()) and any(
        certificate == each.certificate for each in former
    )


def _check_name(name: x509.Name, spec: AuthoritySpec, path: Path) -> int:
    """The generation of the declared CA that has this name. Raises :class:`ForeignCaError` if none has."""
    generation = generation_named(name, spec)
    if generation is None:
        declared = facts.subject_name(spec.common_name, spec.organization)
        raise ForeignCaError(
            f"Looking for the CA '{declared.rfc4514_string()}' in {path}", f"it belongs to '{name.rfc4514_string()}'"
        )
    return generation


def _generation(
    spec: AuthoritySpec,
    files: AuthorityFiles,
    key: PrivateKey | None,
    certificate: x509.Certificate | None,
    former: tuple[StoredAuthority, ...],
    below: Sequence[x509.Certificate],
) -> int:
    """By the certificate's name; without one, by what the key has issued, or by what has gone before."""
    if certificate is not None:
        return _check_name(certificate.subject, spec, files.certificate)
    if key is not None:
        public_key = key.public_key()
        issued = next((each for each in below if facts.is_signed_by(each, public_key)), None)
        if issued is not None:
            return _check_name(issued.issuer, spec, files.private_key)
    gone = [each.generation for each in former if key is None or not _same(each, key)]
    return 1 + max(gone) if gone else spec.generation or 1


def generation_named(name: x509.Name, spec: AuthoritySpec) -> int | None:
    """Which generation of the declared CA has this name; ``None`` if none has."""
    texts = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    numbered = re.fullmatch(r".* G([1-9]\d{0,3})", str(texts[0].value)) if texts else None
    for generation in (1, int(numbered[1]) if numbered else 1):
        if name == facts.subject_name(spec.common_name_of(generation), spec.organization):
            return generation
    return None


def _same(former: StoredAuthority, key: PrivateKey) -> bool:
    public_key = former.public_key
    return public_key is not None and facts.same_key(public_key, key.public_key())


def _read_certificate(path: Path) -> x509.Certificate | None:
    found = read_file(path, x509.load_pem_x509_certificate)
    if found.problem == "unreadable":
        raise CaCertificateDamagedError(f"Reading the CA certificate {path}", "it is not a complete PEM certificate")
    return found.value


def _check_pair(files: AuthorityFiles, key: PrivateKey | None, certificate: x509.Certificate | None) -> None:
    if key and certificate and not facts.same_key(key.public_key(), certificate.public_key()):
        raise CaCertificateMismatchError(
            f"Comparing {files.certificate} with {files.private_key}", "the certificate is for another key"
        )


def _read_key(path: Path, spec: AuthoritySpec) -> tuple[PrivateKey | None, int, bool]:
    """The key, its file's mode, and whether it is encrypted."""
    file = read_file(path, bytes, unreadable=CaKeyPermissionError)
    if file.value is None:
        return None, 0, False
    return _load_key(file.value, spec, path), file.mode, _is_encrypted(file.value)


def _load_key(pem: bytes, spec: AuthoritySpec, path: Path) -> PrivateKey:
    tried = f"Reading the CA key {path}"
    encrypted = _is_encrypted(pem)
    if not _is_whole_pem(pem):
        raise CaKeyDamagedError(tried, "it is not a complete PEM private key")
    if encrypted and spec.passphrase is None:
        raise CaKeyPassphraseError(tried, f"it is encrypted, but no passphrase was given ({spec.option}.passphrase)")
    try:
        # A key that lies open although a passphrase is declared is opened too; the plan then encrypts it.
        key = serialization.load_pem_private_key(pem, spec.passphrase if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if encrypted:
            # Whole on the outside, so the passphrase is what is wrong, as far as anyone without it can tell.
            came_back = f"the given passphrase does not decrypt it ({spec.option}.passphrase)"
            raise CaKeyPassphraseError(tried, came_back) from error
        raise CaKeyDamagedError(tried, f"it is not a usable private key ({error})") from error
    if facts.key_type_of(key.public_key()) is None:  # type: ignore[arg-type]  # other types give None
        raise CaKeyTypeError(tried, f"its type is not supported, and {spec.key_type} is declared")
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
