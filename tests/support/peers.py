# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of this folder make their peers of."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.peer import Peer, Timeouts, TlsOptions
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless
from pynetdicom.sop_class import (
    CTImageStorage,
    MRImageStorage,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)

SHORT = Timeouts(connect=1.0, tls=0.5, association=0.5, dimse=0.5)
STORED_CLASSES = (CTImageStorage, MRImageStorage, UltrasoundImageStorage, UltrasoundMultiFrameImageStorage)
STORED_SYNTAXES = [ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless]
DAY = datetime.timedelta(days=1)


@dataclass
class Authority:
    """A certificate authority that writes PEM files into a folder."""

    folder: Path
    name: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.certificate = self._sign(self.name, self.key, [], True, datetime.datetime.now(datetime.UTC) + 10 * DAY)
        self.file = self.folder / f"{self.name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        stem: str,
        names: tuple[str, ...] = ("localhost", "127.0.0.1"),
        ends: datetime.timedelta = 5 * DAY,
        passphrase: bytes | None = None,
        rsa_bits: int | None = None,
        usage: x509.ObjectIdentifier | None = None,
    ) -> tuple[str, str]:
        """Return the paths of a certificate and its key."""
        key = rsa.generate_private_key(65537, rsa_bits) if rsa_bits else ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(stem, key, list(names), False, datetime.datetime.now(datetime.UTC) + ends, usage)
        paths = self.folder / f"{stem}.crt", self.folder / f"{stem}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption(),
            )
        )
        return str(paths[0]), str(paths[1])

    def revoke(self, *certificates: str, ends: datetime.timedelta = DAY) -> str:
        """Return the path of a revocation list with these certificates."""
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - 3 * DAY)
            .next_update(now + ends)
        )
        for path in certificates:
            serial = x509.load_pem_x509_certificate(Path(path).read_bytes()).serial_number
            revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - DAY).build()
            builder = builder.add_revoked_certificate(revoked)
        file = self.folder / f"{self.name}-{len(certificates)}-{ends.days}.crl"
        file.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return str(file)

    def _sign(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
        names: list[str],
        ca: bool,
        end: datetime.datetime,
        usage: x509.ObjectIdentifier | None = None,
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.datetime.now(datetime.UTC) - 4 * DAY)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(each) for each in names]), False)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        return builder.sign(self.key, hashes.SHA256())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass
class Archive:
    """An SCP in this process, and what was stored in it: SOP instance UIDs and the bytes of the data sets."""

    port: int
    stored: dict[str, bytes]


def server_context(
    authority: Authority, certificate: tuple[str, str], demand: bool = False, version: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """Return the TLS context of a server that may demand a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    if demand:
        context.load_verify_locations(authority.file)
        context.verify_mode = ssl.CERT_REQUIRED
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def peer_at(port: int, tls: TlsOptions | None = None, **changes: Any) -> Peer:
    """Return a peer on this machine, with short time-outs."""
    settings: dict[str, Any] = {"host": "127.0.0.1", "called_aet": "ORTHANC", "timeouts": SHORT, **changes}
    return Peer(port=port, tls=tls, **settings)


@dataclass(frozen=True)
class Ran:
    """What a module returned."""

    failed: bool
    result: dict[str, Any]
