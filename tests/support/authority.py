# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority that is not ours, as hospitals and cloud providers have them."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)
NOW = dt.datetime.now(dt.UTC)

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Authority:
    """Keeps its own certificate and those it issues in ``folder``; with an ``issuer``, it is an intermediate CA."""

    folder: Path
    name: str = "Somebody's CA"
    issuer: Authority | None = None
    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        own = x509.BasicConstraints(ca=True, path_length=None)
        self.certificate = (self.issuer or self)._sign(self.name, self.key, 3650 * DAY, own)
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    @property
    def file(self) -> Path:
        return self.folder / "ca.crt"

    def intermediate(self, folder: Path, name: str) -> Authority:
        return Authority(folder, name, self)

    def issue(self, *names: str, days: float = 90, stem: str = "server") -> tuple[Path, Path]:
        """A server certificate for ``names``: the files of certificate and key."""
        certificate = self._sign(names[0], key := new_key(), days * DAY, *_of_a_leaf(names))
        return self._write(stem, certificate, key)

    def issue_to(
        self,
        stem: str,
        names: tuple[str, ...] = ("localhost", "127.0.0.1"),
        ends: dt.timedelta = 5 * DAY,
        passphrase: bytes | None = None,
        rsa_bits: int | None = None,
        usage: x509.ObjectIdentifier | None = None,
    ) -> tuple[str, str]:
        """A certificate for a peer on this machine, which is called ``stem``: the paths of certificate and key."""
        key = rsa.generate_private_key(65537, rsa_bits) if rsa_bits else new_key()
        extensions = [*_of_a_leaf(names), *([x509.ExtendedKeyUsage([usage])] if usage else [])]
        paths = self._write(stem, self._sign(stem, key, ends, *extensions), key, passphrase)
        return str(paths[0]), str(paths[1])

    def revoke(self, *certificates: str, ends: dt.timedelta = DAY) -> str:
        """The path of a revocation list with these certificates."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(NOW - 3 * DAY)
            .next_update(NOW + ends)
        )
        for path in certificates:
            serial = x509.load_pem_x509_certificate(Path(path).read_bytes()).serial_number
            revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - DAY).build()
            builder = builder.add_revoked_certificate(revoked)
        file = self.folder / f"{len(certificates)}-{ends.days}.crl"
        file.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return str(file)

    def _write(
        self, stem: str, certificate: x509.Certificate, key: Key, passphrase: bytes | None = None
    ) -> tuple[Path, Path]:
        hidden = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        paths = self.folder / f"{stem}.crt", self.folder / f"{stem}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].touch(mode=0o600)
        paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden))
        return paths

    def _sign(self, subject: str, key: Key, ends: dt.timedelta, *extensions: x509.ExtensionType) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 1000 * DAY)
            .not_valid_after(NOW + ends)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self.key, hashes.SHA256())


def _of_a_leaf(names: tuple[str, ...]) -> tuple[x509.ExtensionType, ...]:
    alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
    return x509.BasicConstraints(ca=False, path_length=None), alternatives


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
