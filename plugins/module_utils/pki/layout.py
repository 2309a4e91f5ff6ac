# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each file of a PKI is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Tier(StrEnum):
    """Where a CA stands. The spelling is the stem of its files."""

    ROOT = "ca"
    INTERMEDIATE = "ca-intermediate"


@dataclass(frozen=True, slots=True)
class AuthorityFiles:
    """The files of one CA."""

    private_key: Path
    certificate: Path


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """The files of one certificate: ``<name>.key`` and so on."""

    private_key: Path
    certificate: Path
    chain: Path
    pkcs12: Path

    def __iter__(self) -> Iterator[Path]:
        return iter((self.private_key, self.certificate, self.chain, self.pkcs12))


@dataclass(frozen=True, slots=True)
class Layout:
    """A PKI's folder.

    ``issued`` is the ledger, and its file names are its index: ``<name>.<SERIAL>.crt`` for every certificate ever
    issued, before it is handed out, and ``<name>.<SERIAL>.revoked`` with the moment of its revocation. So a
    revocation reaches the renewed certificate's predecessor too, and a lost CRL can be made again.
    """

    folder: Path

    @property
    def lock(self) -> Path:
        return self.folder / ".lock"

    def authority_files(self, tier: Tier) -> AuthorityFiles:
        """The CA in place: ``ca.key``, ``ca.crt``."""
        return AuthorityFiles(self.folder / f"{tier}.key", self.folder / f"{tier}.crt")

    def former_files(self, tier: Tier, generation: int) -> AuthorityFiles:
        """A CA whose place another generation has taken: ``former/ca.1.key``, ``former/ca.1.crt``."""
        stem = f"{tier}.{generation}"
        return AuthorityFiles(self.former / f"{stem}.key", self.former / f"{stem}.crt")

    @property
    def ca_bundle(self) -> Path:
        return self.folder / "ca-bundle.crt"

    @property
    def crl(self) -> Path:
        return self.folder / "crl.pem"

    @property
    def former(self) -> Path:
        return self.folder / "former"

    @property
    def issued(self) -> Path:
        return self.folder / "issued"

    def files_of(self, name: str) -> CertificateFiles:
        return CertificateFiles(
            private_key=self.folder / f"{name}.key",
            certificate=self.folder / f"{name}.crt",
            chain=self.folder / f"{name}.chain.crt",
            pkcs12=self.folder / f"{name}.p12",
        )

    def issued_record(self, name: str, serial: int) -> Path:
        return self.issued / f"{name}.{serial_text(serial)}.crt"

    def revoked_record(self, name: str, serial: int) -> Path:
        return self.issued / f"{name}.{serial_text(serial)}.revoked"


def serial_text(serial: int) -> str:
    """The serial number as ``openssl x509 -serial`` writes it: ``0AF3``."""
    digits = f"{serial:X}"
    return digits.zfill(len(digits) + len(digits) % 2)


def parse_record_name(record: Path) -> tuple[str, int] | None:
    """The certificate name and serial number in a ledger file's name; ``None`` for a file that is not one."""
    name, _dot, digits = record.stem.rpartition(".")
    try:
        return (name, int(digits, 16)) if name else None
    except ValueError:
        return None
