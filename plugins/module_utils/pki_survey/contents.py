# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file holds: certificates, keys and revocation lists in PEM, DER or PKCS#12, of whatever origin.

Of a private key, only the public half is kept.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..pki.facts import is_consistent
from .der import UnsupportedEncodingError, first_structure, is_whole, key_derivation_rounds
from .files import FileBytes
from .items import (
    FoundCertificate,
    FoundCrl,
    FoundKey,
    FoundPkcs12,
    Item,
    OtherFile,
    Place,
    Reason,
    Unreadable,
    has_pki_ending,
)

with suppress(ImportError):  # the module says so, with missing_required_lib
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import pkcs12

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes


# More rounds of key derivation protect nothing, and hold up whoever tries to open the file, for hours if it likes.
MAX_ROUNDS = 5_000_000
# An RSA key of 16384 bits, the longest that OpenSSL uses, has 13 KiB in PEM.
MAX_KEY_BYTES = 16_384
# A megabyte has room for 35,000 empty PEM blocks, each of which would be reported.
MAX_UNREAD = 100

_MARK = re.compile(rb"-----(BEGIN|END) ([A-Z0-9 ]{1,60})-----")
_CERTIFICATES = frozenset({"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"})
_KEYS = frozenset({"PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"})
_CRL = "X509 CRL"
_REQUEST = "CERTIFICATE REQUEST"


class ProblemError(Exception):
    """Why a part of a file is not read, as an :class:`Unreadable` says it."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


@dataclass(frozen=True, slots=True)
class Part:
    """One PEM block (from its first dash to its last), or a whole binary file."""

    place: Place
    mode: int
    data: bytes

    def unreadable(self, reason: Reason, message: str) -> Unreadable:
        return Unreadable(self.place.path, self.place.position, reason, message)


def read_contents(file: FileBytes, passphrases: tuple[bytes, ...]) -> Iterator[Item]:
    """Everything in ``file``. Each part that cannot be read is an :class:`Unreadable` of its own."""
    whole = Part(Place(file.path, 1), file.mode, file.data)
    if _is_pkcs12(file.data):
        yield from _guarded(whole, lambda: _read_pkcs12(whole, passphrases))
    elif is_whole(file.data):
        yield from _guarded(whole, lambda: _read_der(whole, passphrases))
    else:
        yield from _read_pem(file, passphrases)


def _guarded(part: Part, read: Callable[[], Iterator[Item]]) -> Iterator[Item]:
    """Whatever a library makes of a stranger's bytes is a finding, and never ends the survey."""
    try:
        yield from read()
    except ProblemError as problem:
        yield part.unreadable(problem.reason, problem.message)
    except (UnsupportedAlgorithm, UnsupportedEncodingError) as error:
        yield part.unreadable(Reason.UNSUPPORTED, f"its format is not supported here: {_first_line(error)}")
    except Exception as error:  # there is no end to what malformed input makes parsers raise
        yield part.unreadable(Reason.DAMAGED, f"it is damaged, or not what it says it is: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")


# --- PEM


def _read_pem(file: FileBytes, passphrases: tuple[bytes, ...]) -> Iterator[Item]:
    others: list[str] = []
    position = unread = 0
    for label, block in _pem_blocks(file.data):
        if label not in _CERTIFICATES | _KEYS | {_CRL}:
            others.append(label)
            continue
        position += 1
        for item in _read_guarded_block(Part(Place(file.path, position), file.mode, block), label, passphrases):
            unread += isinstance(item, Unreadable)
            yield item
        if unread == MAX_UNREAD:
            message = f"{MAX_UNREAD} of its parts cannot be read, and the parts after them were not examined"
            yield Unreadable(file.path, None, Reason.DAMAGED, message)
            return
    if position:
        return
    expected = has_pki_ending(file.path)
    if others or not expected:
        yield OtherFile(file.path, tuple(dict.fromkeys(others)))
    elif not file.data:
        yield Unreadable(file.path, None, Reason.EMPTY, "it is empty")
    else:
        yield Unreadable(file.path, None, Reason.NOT_PKI, "it is neither PEM nor one complete DER or PKCS#12 structure")


def _read_guarded_block(part: Part, label: str, passphrases: tuple[bytes, ...]) -> Iterator[Item]:
    return _guarded(part, lambda: _read_block(part, label, passphrases))


def _pem_blocks(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Each block with its label (RFC 7468); one without an end goes as far as the next begins. Linear in time."""
    begin: re.Match[bytes] | None = None
    for mark in _MARK.finditer(data):
        if begin is not None:
            yield begin[2].decode(), data[begin.start() : mark.end() if mark[1] == b"END" else mark.start()]
        begin = mark if mark[1] == b"BEGIN" else None
    if begin is not None:
        yield begin[2].decode(), data[begin.start() :]


def _read_block(part: Part, label: str, passphrases: tuple[bytes, ...]) -> Iterator[Item]:
    if not part.data.endswith(f"-----END {label}-----".encode()):
        raise ProblemError(Reason.DAMAGED, f"it is truncated: there is no END line for its BEGIN {label}")
    if label in _KEYS:
        encrypted = label == "ENCRYPTED PRIVATE KEY" or b"Proc-Type: 4,ENCRYPTED" in part.data
        if label == "ENCRYPTED PRIVATE KEY":
            _refuse_costly(_pem_body(part.data))
        yield from _read_key(part, encrypted, passphrases, serialization.load_pem_private_key)
    elif label == _CRL:
        yield FoundCrl(part.place, x509.load_der_x509_crl(_pem_body(part.data)))
    else:
        body = _pem_body(part.data)
        # OpenSSL's 'trusted' form has its own settings behind the certificate.
        certificate = first_structure(body) if label == "TRUSTED CERTIFICATE" else body
        yield FoundCertificate(part.place, x509.load_der_x509_certificate(certificate))


def _pem_body(block: bytes) -> bytes:
    return base64.b64decode(b"".join(block.split(b"-----")[2].split()), validate=True)


# --- DER


def _read_der(part: Part, passphrases: tuple[bytes, ...]) -> Iterator[Item]:
    with suppress(ValueError):
        yield FoundCertificate(part.place, x509.load_der_x509_certificate(part.data))
        return
    with suppress(ValueError):
        yield FoundCrl(part.place, x509.load_der_x509_crl(part.data))
        return
    with suppress(ValueError):
        x509.load_der_x509_csr(part.data)
        yield OtherFile(part.place.path, (_REQUEST,))
        return
    encrypted = _is_encrypted_der_key(part.data)
    if encrypted is not None:
        if encrypted:
            _refuse_costly(part.data)
        yield from _read_key(part, encrypted, passphrases, serialization.load_der_private_key)
    elif has_pki_ending(part.place.path):
        raise ProblemError(Reason.NOT_PKI, "it is DER, but neither a certificate, a revocation list nor a private key")
    else:
        yield OtherFile(part.place.path)


def _is_encrypted_der_key(data: bytes) -> bool | None:
    """``None`` for what is no private key."""
    if len(data) > MAX_KEY_BYTES:
        return None
    try:
        _load_key(serialization.load_der_private_key, data, None)
    except TypeError:  # "Password was not given but private key is encrypted"
        return True
    except ValueError:
        return None
    return False


# --- private keys


def _read_key(
    part: Part, encrypted: bool, passphrases: tuple[bytes, ...], load: Callable[..., PrivateKeyTypes]
) -> Iterator[Item]:
    """The key, and if it does not open the reason too, so that it is not forgotten."""
    if len(part.data) > MAX_KEY_BYTES:
        raise ProblemError(Reason.TOO_LARGE, f"it is longer than any key that can be used ({len(part.data)} bytes)")
    if not encrypted:
        yield FoundKey(part.place, part.mode, False, _public(_load_key(load, part.data, None)))
        return
    for passphrase in passphrases:
        with suppress(ValueError):
            key = _load_key(load, part.data, passphrase)
            yield FoundKey(part.place, part.mode, True, _public(key))
            return
    yield FoundKey(part.place, part.mode, True, None)
    raise _locked(passphrases)


def _load_key(load: Callable[..., PrivateKeyTypes], data: bytes, passphrase: bytes | None) -> PrivateKeyTypes:
    try:
        # OpenSSL's own check tests for primes, which takes it minutes for a key made to that end.
        return load(data, passphrase, unsafe_skip_rsa_key_validation=True)
    except TypeError:  # cryptography 38 does not know that
        return load(data, passphrase)


def _public(key: PrivateKeyTypes) -> PublicKeyTypes:
    if isinstance(key, rsa.RSAPrivateKey) and not is_consistent(key):
        raise ProblemError(Reason.DAMAGED, "it is damaged: the numbers of this RSA key do not match")
    return key.public_key()


def _locked(passphrases: tuple[bytes, ...]) -> ProblemError:
    if not passphrases:
        return ProblemError(Reason.PASSPHRASE_MISSING, "it is encrypted, but no passphrase was given")
    tried = "the passphrase" if len(passphrases) == 1 else f"none of the {len(passphrases)} passphrases"
    opens = "does not open it" if len(passphrases) == 1 else "opens it"
    return ProblemError(Reason.PASSPHRASE_WRONG, f"{tried} {opens}; or it is damaged, which looks the same")


def _refuse_costly(der: bytes) -> None:
    rounds = key_derivation_rounds(der)
    if rounds > MAX_ROUNDS:
        raise ProblemError(Reason.TOO_COSTLY, f"decrypting it takes {rounds} rounds of key derivation")


# --- PKCS#12


def _is_pkcs12(data: bytes) -> bool:
    """RFC 7292 §4: a SEQUENCE that begins with version 3; in DER, or in BER of indefinite length."""
    return re.match(rb"\x30(?:[\x00-\x80]|\x81.|\x82..|\x83...|\x84....)\x02\x01\x03", data, re.DOTALL) is not None


def _read_pkcs12(part: Part, passphrases: tuple[bytes, ...]) -> Iterator[Item]:
    path = part.place.path
    if not is_whole(part.data) and part.data[1] != 0x80:
        raise ProblemError(Reason.DAMAGED, "it is truncated, or has data after its end")
    _refuse_costly(part.data)
    for passphrase in (None, *passphrases):  # None opens with an empty one too
        with suppress(ValueError):
            opened = pkcs12.load_pkcs12(part.data, passphrase)
            break
    else:
        yield FoundPkcs12(path, part.mode, encrypted=True, opened=False)
        raise _locked(passphrases)

    encrypted = passphrase is not None
    name = opened.cert.friendly_name if opened.cert else None
    yield FoundPkcs12(
        path, part.mode, encrypted, opened=True, friendly_name=None if name is None else name.decode(errors="replace")
    )
    certificates = [entry.certificate for entry in (opened.cert, *opened.additional_certs) if entry]
    for position, certificate in enumerate(certificates, start=1):
        yield FoundCertificate(Place(path, position), certificate, in_pkcs12=True)
    if opened.key is not None:
        place = Place(path, len(certificates) + 1)
        yield FoundKey(place, part.mode, encrypted, _public(opened.key))  # type: ignore[arg-type]  # any kind of key
