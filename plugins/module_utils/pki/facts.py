# SPDX-License-Identifier: GPL-3.0-or-later
"""What a certificate or a key says, in the terms of a declaration; the same from cryptography 38 on."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .constraints import NameConstraints, Subtree
from .names import AltName, NameKind
from .spec import KeyType, Usage

with suppress(ImportError):  # the module says so, with missing_required_lib
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes as PublicKey


def not_valid_before(certificate: x509.Certificate) -> datetime:
    if hasattr(certificate, "not_valid_before_utc"):
        return certificate.not_valid_before_utc
    return certificate.not_valid_before.replace(tzinfo=UTC)


def not_valid_after(certificate: x509.Certificate) -> datetime:
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_after_utc
    return certificate.not_valid_after.replace(tzinfo=UTC)


def next_update(crl: x509.CertificateRevocationList) -> datetime:
    """When the list ends; one without an end (RFC 5280 §5.1.2.5 forbids it) has ended already."""
    moment = crl.next_update_utc if hasattr(crl, "next_update_utc") else crl.next_update
    return datetime.min.replace(tzinfo=UTC) if moment is None else moment.replace(tzinfo=UTC)


def revocations(crl: x509.CertificateRevocationList) -> dict[int, datetime]:
    """Serial number to moment of revocation."""
    return {
        entry.serial_number: (
            entry.revocation_date_utc
            if hasattr(entry, "revocation_date_utc")
            else entry.revocation_date.replace(tzinfo=UTC)
        )
        for entry in crl
    }


def crl_number(crl: x509.CertificateRevocationList) -> int:
    """The CRL number (RFC 5280 §5.2.3); 0 where there is none."""
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0


def fingerprint_sha256(certificate: x509.Certificate) -> str:
    """The fingerprint as ``openssl x509 -fingerprint -sha256`` writes it: ``AB:CD:...``."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def key_type_of(key: PublicKey) -> KeyType | None:
    """``None`` for a key that cannot be declared."""
    match key:
        case rsa.RSAPublicKey():
            spelled = f"rsa-{key.key_size}"
        case ec.EllipticCurvePublicKey():
            spelled = {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384"}.get(key.curve.name, "")
        case _:
            spelled = ""
    return KeyType(spelled) if spelled in list(KeyType) else None


def is_consistent(key: rsa.RSAPrivateKey) -> bool:
    """Whether the numbers of an RSA key belong together (RFC 8017 §3.2), so that no part of it is damaged."""
    private = key.private_numbers()
    public = private.public_numbers
    return (
        private.p * private.q == public.n
        and all(public.e * private.d % (prime - 1) == 1 for prime in (private.p, private.q))
        and private.dmp1 == private.d % (private.p - 1)
        and private.dmq1 == private.d % (private.q - 1)
        and private.iqmp * private.q % private.p == 1
    )


def same_key(one: PublicKey, other: PublicKey) -> bool:
    return _public_bytes(one) == _public_bytes(other)


def _public_bytes(key: PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def is_signed_by(certificate: x509.Certificate, issuer: PublicKey) -> bool:
    """Whether ``issuer`` made the signature; an RSA or ECDSA key, since a declared CA has no other."""
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None:
        return False
    signature, signed = certificate.signature, certificate.tbs_certificate_bytes
    try:
        match issuer:
            case rsa.RSAPublicKey():
                issuer.verify(signature, signed, padding.PKCS1v15(), algorithm)
            case ec.EllipticCurvePublicKey():
                issuer.verify(signature, signed, ec.ECDSA(algorithm))
            case _:
                return False
    except InvalidSignature:
        return False
    return True


def subject_name(common_name: str, organization: str | None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization is not None:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def usage_of(certificate: x509.Certificate) -> frozenset[str]:
    """The extended key usages: :class:`Usage` values, or dotted object identifiers for others."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return frozenset()
    known = {ExtendedKeyUsageOID.SERVER_AUTH: Usage.SERVER, ExtendedKeyUsageOID.CLIENT_AUTH: Usage.CLIENT}
    return frozenset(known.get(oid, oid.dotted_string) for oid in found)


def alt_names_of(certificate: x509.Certificate) -> tuple[AltName, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(_alt_name(name) for name in found)


def _alt_name(name: x509.GeneralName) -> AltName:
    match name:
        case x509.DNSName():
            return AltName(NameKind.DNS, name.value)
        case x509.IPAddress():
            return AltName(NameKind.IP, str(name.value))
        case x509.UniformResourceIdentifier():
            return AltName(NameKind.URI, name.value)
        case x509.RFC822Name():
            return AltName(NameKind.EMAIL, name.value)
        case _:
            return AltName(NameKind.OTHER, repr(name))


def path_length_of(certificate: x509.Certificate) -> int | None:
    """How many CAs may stand below this one; ``None`` where nothing limits them, or it is no CA."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    except x509.ExtensionNotFound:
        return None


def name_constraints_of(certificate: x509.Certificate) -> NameConstraints:
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return NameConstraints()
    return NameConstraints(
        permitted=frozenset(_subtree(name) for name in found.permitted_subtrees or ()),
        excluded=frozenset(_subtree(name) for name in found.excluded_subtrees or ()),
    )


def _subtree(name: x509.GeneralName) -> Subtree:
    found = _alt_name(name)
    return Subtree(found.kind, found.value)


def is_issuer_of(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    return certificate.issuer == issuer.subject and is_signed_by(certificate, issuer.public_key())
