# SPDX-License-Identifier: GPL-3.0-or-later
"""What is declared: typed and complete. ``parse`` makes it from the module's parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from .constraints import NameConstraints
from .layout import Tier
from .names import AltName
from .ownership import Ownership

RENEW_BEFORE_DAYS = 30  # unless something else is declared; pki_info warns from then on, too


class KeyType(StrEnum):
    ECDSA_P256 = "ecdsa-p256"
    ECDSA_P384 = "ecdsa-p384"
    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"


class Usage(StrEnum):
    SERVER = "server"
    CLIENT = "client"


class State(StrEnum):
    PRESENT = "present"
    REVOKED = "revoked"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoritySpec:
    """A root or an intermediate CA. ``generation`` is ``None`` where the one in place is to stay."""

    tier: Tier
    common_name: str
    organization: str | None
    key_type: KeyType
    valid_days: int
    passphrase: bytes | None = field(repr=False)
    generation: int | None
    path_length: int
    name_constraints: NameConstraints

    @property
    def option(self) -> str:
        """The module's option that declares it."""
        return "ca" if self.tier is Tier.ROOT else "ca.intermediate"

    def common_name_of(self, generation: int) -> str:
        """Each generation has a name of its own: verifiers find issuers and revocation lists by name."""
        return self.common_name if generation == 1 else f"{self.common_name} G{generation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSpec:
    """``name`` is the stem of the files; ``alt_names`` are normalised and free of duplicates, in declared order."""

    name: str
    state: State
    usage: frozenset[Usage]
    common_name: str
    organization: str | None
    alt_names: tuple[AltName, ...]
    valid_days: int
    key_type: KeyType
    pkcs12: bool
    pkcs12_passphrase: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PkiSpec:
    path: Path
    root: AuthoritySpec
    intermediate: AuthoritySpec | None
    certificates: tuple[CertificateSpec, ...]
    renew_before: timedelta
    crl_valid_days: int
    ownership: Ownership

    @property
    def issuing(self) -> AuthoritySpec:
        """The CA that signs leaf certificates."""
        return self.intermediate or self.root
