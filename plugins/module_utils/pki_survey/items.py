# SPDX-License-Identifier: GPL-3.0-or-later
"""What a survey finds in files, before it is known what belongs to what."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import TYPE_CHECKING

with suppress(ImportError):  # the module says so, with missing_required_lib
    from cryptography import x509

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes


class Item:
    """What is found: any of the classes below."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Place:
    """``position`` counts the certificates, keys and lists in the file from 1."""

    path: str
    position: int


@dataclass(frozen=True, slots=True)
class FoundCertificate(Item):
    place: Place
    value: x509.Certificate
    in_pkcs12: bool = False


@dataclass(frozen=True, slots=True)
class FoundKey(Item):
    """``public`` is ``None`` for a key that did not open."""

    place: Place
    mode: int
    encrypted: bool
    public: PublicKeyTypes | None


@dataclass(frozen=True, slots=True)
class FoundCrl(Item):
    place: Place
    value: x509.CertificateRevocationList


@dataclass(frozen=True, slots=True)
class FoundPkcs12(Item):
    """``encrypted`` is whether it takes a passphrase."""

    path: str
    mode: int
    encrypted: bool
    opened: bool
    friendly_name: str | None = None


@dataclass(frozen=True, slots=True)
class OtherFile(Item):
    """A file with nothing of a PKI, or only with what is not looked into, by its PEM labels."""

    path: str
    labels: tuple[str, ...] = ()


class Reason(StrEnum):
    """Why a file, or a part of it, was not read."""

    NO_PERMISSION = "no_permission"
    LINK_LOOP = "link_loop"
    LINK_DANGLING = "link_dangling"
    LINK_TO_FOLDER = "link_to_folder"
    NOT_A_FILE = "not_a_file"
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    NOT_PKI = "not_pki"
    DAMAGED = "damaged"
    UNSUPPORTED = "unsupported"
    PASSPHRASE_MISSING = "passphrase_missing"
    PASSPHRASE_WRONG = "passphrase_wrong"
    TOO_COSTLY = "too_costly"
    SYSTEM_ERROR = "system_error"


@dataclass(frozen=True, slots=True)
class Unreadable(Item):
    """``position`` counts the parts of a file from 1; ``None`` where the whole file is meant."""

    path: str
    position: int | None
    reason: Reason
    message: str


_PKI_ENDINGS = frozenset({".cer", ".crl", ".crt", ".der", ".key", ".p12", ".pem", ".pfx"})


def has_pki_ending(path: str) -> bool:
    """Whether a file should be of a PKI by its name; any other that cannot be understood is just another file."""
    return PurePath(path).suffix.lower() in _PKI_ENDINGS
