# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority that is not ours, as hospitals and cloud providers have them."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = dt.datetime.now(dt.UTC)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass
class Authority:
    """Keeps its own certificate and those it issues in ``folder``; with an ``issuer``, it is an intermediate CA."""

    folder: Path
    name: str = "Somebody's CA"
    issuer: Authority | None = None
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        own = x509.BasicConstraints(ca=True, path_length=None)
        self.certificate = (self.issuer or self)._sign(self.name, self.key, 3650, own)
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    @property
    def file(self) -> Path:
        return self.folder / "ca.crt"

    def intermediate(self, folder: Path, name: str) -> Authority:
        return Authority(folder, name, self)

    def issue(self, *names: str, days: float = 90, stem: str = "server") -> tuple[Path, Path]:
        """A server certificate for ``names``: the files of certificate and key."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        certificate = self._sign(names[0], key, days, x509.BasicConstraints(ca=False, path_length=None), alternatives)
        paths = self.folder / f"{stem}.crt", self.folder / f"{stem}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].touch(mode=0o600)
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return paths

    def _sign(
        self, subject: str, key: ec.EllipticCurvePrivateKey, days: float, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - dt.timedelta(days=1000))
            .not_valid_after(NOW + dt.timedelta(days=days))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self.key, hashes.SHA256())
