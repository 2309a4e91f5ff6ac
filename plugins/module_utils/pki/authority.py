# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate authority: what it signs, and how that is written down."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .constraints import NameConstraints, Subtree
from .facts import not_valid_after, subject_name
from .names import AltName, NameKind
from .spec import AuthoritySpec, CertificateSpec, KeyType, Usage

with suppress(ImportError):  # the module says so, with missing_required_lib
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import pkcs12
    from cryptography.x509.oid import ExtendedKeyUsageOID

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes as PublicKey

    PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

# What is issued now is valid an hour ago already: a modality's clock may be behind.
CLOCK_SKEW = timedelta(hours=1)


def generate_key(key_type: KeyType) -> PrivateKey:
    match key_type:
        case KeyType.ECDSA_P256:
            return ec.generate_private_key(ec.SECP256R1())
        case KeyType.ECDSA_P384:
            return ec.generate_private_key(ec.SECP384R1())
        case _:
            return rsa.generate_private_key(public_exponent=65537, key_size=int(key_type.removeprefix("rsa-")))


def validity(now: datetime, valid_days: int, ends_with: datetime | None = None) -> tuple[datetime, datetime]:
    """First and last second of a certificate's life, both inclusive (RFC 5280 §4.1.2.5).

    The whole life is ``valid_days`` and never reaches beyond ``ends_with``, the issuer's own end.
    """
    first = now.replace(microsecond=0) - CLOCK_SKEW
    last = first + timedelta(days=valid_days, seconds=-1)
    return first, last if ends_with is None else min(last, ends_with)


def list_start(now: datetime) -> datetime:
    """From when a revocation list made now is valid."""
    return now.replace(microsecond=0) - CLOCK_SKEW


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA certificate and its key, which sign certificates and revocation lists.

    Without the key, which may be kept offline, it can sign nothing.
    """

    key: PrivateKey | None = field(repr=False)
    certificate: x509.Certificate

    @classmethod
    def self_signed(cls, spec: AuthoritySpec, generation: int, key: PrivateKey, now: datetime) -> Authority:
        """A root (RFC 5280 §3.2)."""
        name = subject_name(spec.common_name_of(generation), spec.organization)
        own_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = _certificate_builder(name, name, key.public_key(), validity(now, spec.valid_days))
        certificate = _as_authority(builder, spec, key, _issuer_key_id(own_id)).sign(key, _hash_for(key))
        return cls(key, certificate)

    def issue_authority(self, spec: AuthoritySpec, generation: int, key: PrivateKey, now: datetime) -> Authority:
        """An intermediate CA, which does not outlive this one."""
        life = validity(now, spec.valid_days, not_valid_after(self.certificate))
        name = subject_name(spec.common_name_of(generation), spec.organization)
        builder = _certificate_builder(name, self.certificate.subject, key.public_key(), life)
        builder = _as_authority(builder, spec, key, self._key_id())
        return Authority(key, builder.sign(self._signing_key(), _hash_for(self._signing_key())))

    def issue(self, spec: CertificateSpec, public_key: PublicKey, now: datetime) -> x509.Certificate:
        """A leaf certificate (RFC 5280 §4.2.1), which does not outlive this CA."""
        life = validity(now, spec.valid_days, not_valid_after(self.certificate))
        # RFC 5246 §7.4.2: in TLS 1.2's RSA key exchange, which old modalities speak, the key enciphers.
        key_usage = ("digital_signature", "key_encipherment") if _is_rsa(public_key) else ("digital_signature",)
        name = subject_name(spec.common_name, spec.organization)
        key_id = x509.SubjectKeyIdentifier.from_public_key(public_key)
        builder = (
            _certificate_builder(name, self.certificate.subject, public_key, life)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(*key_usage), critical=True)
            .add_extension(x509.ExtendedKeyUsage(_usage_oids(spec)), critical=False)
            .add_extension(key_id, critical=False)
            .add_extension(self._key_id(), critical=False)
        )
        if spec.alt_names:
            names = x509.SubjectAlternativeName([_general_name(alt) for alt in spec.alt_names])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._signing_key(), _hash_for(self._signing_key()))

    def revocation_list(
        self, revoked: Mapping[int, datetime], *, number: int, ends: datetime, now: datetime
    ) -> x509.CertificateRevocationList:
        """A complete CRL (RFC 5280 §5) with every serial number of ``revoked``."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(list_start(now))
            .next_update(ends)
            .add_extension(self._key_id(), critical=False)
            .add_extension(x509.CRLNumber(number), critical=False)
        )
        for serial, moment in sorted(revoked.items()):
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self._signing_key(), _hash_for(self._signing_key()))

    def _signing_key(self) -> PrivateKey:
        if self.key is None:
            raise ValueError(f"the key of {self.certificate.subject.rfc4514_string()} is not here")
        return self.key

    def _key_id(self) -> x509.AuthorityKeyIdentifier:
        try:
            own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        except x509.ExtensionNotFound:  # a CA made elsewhere
            return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.certificate.public_key())  # type: ignore[arg-type]
        return _issuer_key_id(own.value)


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def certificates_pem(certificates: Iterable[x509.Certificate]) -> bytes:
    """One after the other, as in a chain or a bundle."""
    return b"".join(map(certificate_pem, certificates))


def crl_pem(crl: x509.CertificateRevocationList) -> bytes:
    return crl.public_bytes(serialization.Encoding.PEM)


def key_pem(key: PrivateKey, passphrase: bytes | None = None) -> bytes:
    """PKCS#8, encrypted where there is a passphrase."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def pkcs12_bundle(
    name: str,
    passphrase: bytes | None,
    key: PrivateKey,
    certificate: x509.Certificate,
    authorities: Sequence[x509.Certificate],
) -> bytes:
    """What a modality imports: its key, its certificate, and the CAs above it or to be trusted."""
    if not passphrase:
        raise ValueError("a PKCS#12 bundle without a passphrase is never declared")
    encryption = serialization.BestAvailableEncryption(passphrase)
    return pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, authorities, encryption)


def is_pkcs12_of(
    data: bytes,
    spec: CertificateSpec,
    key: PrivateKey,
    certificate: x509.Certificate,
    authorities: Sequence[x509.Certificate],
) -> bool:
    """Whether ``data`` opens with the declared passphrase and holds just this."""
    try:
        found_key, found_certificate, others = pkcs12.load_key_and_certificates(data, spec.pkcs12_passphrase)
    except ValueError:  # damaged, or another passphrase
        return False
    return (
        found_key is not None
        and key_pem(found_key) == key_pem(key)  # type: ignore[arg-type]  # any private key has private_bytes
        and found_certificate == certificate
        and set(others) == set(authorities)
    )


def _as_authority(
    builder: x509.CertificateBuilder, spec: AuthoritySpec, key: PrivateKey, issuer_id: x509.AuthorityKeyIdentifier
) -> x509.CertificateBuilder:
    """With the extensions of a CA (RFC 5280 §4.2.1)."""
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=spec.path_length), critical=True)
        .add_extension(_key_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(key_id, critical=False)
        .add_extension(issuer_id, critical=False)
    )
    if spec.name_constraints:
        builder = builder.add_extension(_name_constraints(spec.name_constraints), critical=True)
    return builder


def _name_constraints(declared: NameConstraints) -> x509.NameConstraints:
    def subtrees(given: frozenset[Subtree]) -> list[x509.GeneralName] | None:
        return [_general_subtree(subtree) for subtree in sorted(given)] or None

    return x509.NameConstraints(subtrees(declared.permitted), subtrees(declared.excluded))


def _general_subtree(subtree: Subtree) -> x509.GeneralName:
    if subtree.kind is NameKind.IP:
        return x509.IPAddress(ipaddress.ip_network(subtree.value))
    return _general_name(AltName(subtree.kind, subtree.value))


def _certificate_builder(
    subject: x509.Name, issuer: x509.Name, public_key: PublicKey, life: tuple[datetime, datetime]
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(life[0])
        .not_valid_after(life[1])
    )


def _key_usage(*allowed: str) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{usage: usage in allowed for usage in every})


def _usage_oids(spec: CertificateSpec) -> list[x509.ObjectIdentifier]:
    oids = {Usage.SERVER: ExtendedKeyUsageOID.SERVER_AUTH, Usage.CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH}
    return [oid for usage, oid in oids.items() if usage in spec.usage]


def _issuer_key_id(key_id: x509.SubjectKeyIdentifier) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)


def _hash_for(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384:
    """A hash as strong as the key (NIST SP 800-57 part 1, table 3)."""
    return hashes.SHA384() if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256 else hashes.SHA256()


def _is_rsa(key: PublicKey) -> bool:
    return isinstance(key, rsa.RSAPublicKey)


def _general_name(alt: AltName) -> x509.GeneralName:
    match alt.kind:
        case NameKind.IP:
            return x509.IPAddress(ipaddress.ip_address(alt.value))
        case NameKind.URI:
            return x509.UniformResourceIdentifier(alt.value)
        case NameKind.EMAIL:
            return x509.RFC822Name(alt.value)
        case _:
            return x509.DNSName(alt.value)
