# SPDX-License-Identifier: GPL-3.0-or-later
"""A CA as it was found in the folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from . import facts
from .layout import Tier

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes as PublicKey

    from .authority import PrivateKey


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredAuthority:
    """One generation of a CA. Before the first run there is neither key nor certificate.

    A root whose key is kept offline has a certificate alone.
    """

    tier: Tier
    generation: int
    key: PrivateKey | None = field(repr=False, default=None)
    key_path: Path
    key_mode: int = 0
    key_is_encrypted: bool = False
    certificate: x509.Certificate | None = None

    @property
    def exists(self) -> bool:
        return self.key is not None or self.certificate is not None

    @property
    def public_key(self) -> PublicKey | None:
        if self.certificate is not None:
            return self.certificate.public_key()
        return None if self.key is None else self.key.public_key()

    def issued(self, certificate: x509.Certificate) -> bool:
        """Whether ``certificate`` is from this CA."""
        public_key = self.public_key
        if public_key is None or (self.certificate and self.certificate.subject != certificate.issuer):
            return False
        return facts.is_signed_by(certificate, public_key)

    def signed(self, crl: x509.CertificateRevocationList) -> bool:
        """Whether ``crl`` is from this CA."""
        public_key = self.public_key
        return public_key is not None and crl.is_signature_valid(public_key)  # type: ignore[arg-type]  # RSA or ECDSA
