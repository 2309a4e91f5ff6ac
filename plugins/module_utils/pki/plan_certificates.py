# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done with the leaf certificates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from . import facts
from .authority import certificates_pem, is_pkcs12_of
from .current import Current, CurrentCertificate
from .decisions import Action, AuthorityPlan, CertificatePlan, Reason
from .files import Found
from .layout import Tier
from .spec import CertificateSpec, PkiSpec, State
from .stored_authority import StoredAuthority

if TYPE_CHECKING:
    from cryptography import x509

    from .authority import PrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a leaf certificate has to fit into.

    ``trusted`` are the certificates of the bundle, once the plan is carried out; ``None`` where the run itself will
    make one of them.
    """

    spec: PkiSpec
    current: Current
    root: AuthorityPlan
    intermediate: AuthorityPlan | None
    trusted: tuple[x509.Certificate, ...] | None
    now: datetime

    def end_of(self, ca: StoredAuthority) -> datetime:
        """The last second of a CA's certificate, once the plan is carried out."""
        for found, plan in ((self.current.root, self.root), (self.current.intermediate, self.intermediate)):
            if plan and ca is found and plan.action is not Action.REKEY:
                return plan.ends
        return self.root.ends if ca.certificate is None else facts.not_valid_after(ca.certificate)

    def chain_of(self, ca: StoredAuthority) -> tuple[x509.Certificate, ...] | None:
        """The intermediate certificates above a leaf of ``ca``; ``None`` where the run itself will make one of them."""
        if ca.tier is Tier.ROOT:
            return ()
        in_place = self.intermediate if ca is self.current.intermediate else None
        is_renewed = in_place and in_place.action in (Action.ISSUE, Action.RENEW)
        return None if is_renewed or ca.certificate is None else (ca.certificate,)


def live_serials(name: str, current: Current, now: datetime) -> frozenset[int]:
    """The serial numbers under ``name`` that a peer would still accept, renewed certificates' predecessors too."""
    known = [(entry.serial, entry.certificate) for entry in current.issued if entry.name == name]
    found = current.certificates.get(name)
    certificate = found.certificate.value if found else None
    if certificate and current.signer_of(certificate):
        known.append((certificate.serial_number, certificate))
    return frozenset(
        serial
        for serial, certificate in known
        if serial not in current.revoked and (certificate is None or facts.not_valid_after(certificate) >= now)
    )


def revoked_by(spec: CertificateSpec, current: Current, now: datetime) -> tuple[int, ...]:
    """The serial numbers that a declaration revokes."""
    return tuple(sorted(live_serials(spec.name, current, now))) if spec.state is State.REVOKED else ()


def plan_certificate(spec: CertificateSpec, around: Surroundings) -> CertificatePlan:
    found = around.current.certificates[spec.name]
    match spec.state:
        case State.ABSENT:
            files = (found.private_key, found.certificate, found.chain, found.pkcs12)
            if all(file.problem == "missing" for file in files):
                return CertificatePlan(spec, Action.KEEP)
            return CertificatePlan(spec, Action.REMOVE, (Reason.DECLARED_ABSENT,))
        case State.REVOKED:
            serials = revoked_by(spec, around.current, around.now)
            if not serials:
                return CertificatePlan(spec, Action.KEEP)
            return CertificatePlan(spec, Action.REVOKE, (Reason.DECLARED_REVOKED,), revokes=serials)
        case State.PRESENT:
            return _plan_present(spec, found, around)


def _plan_present(spec: CertificateSpec, found: CurrentCertificate, around: Surroundings) -> CertificatePlan:
    key_reasons = tuple(_key_reasons(spec, found, around.current))
    certificate_reasons = tuple(_certificate_reasons(spec, found, around))
    reasons = key_reasons + certificate_reasons
    if found.certificate.value is None:
        return CertificatePlan(spec, Action.ISSUE, reasons, makes_key=bool(key_reasons))
    if key_reasons:
        return CertificatePlan(spec, Action.REKEY, reasons, makes_key=True)
    if certificate_reasons:
        return CertificatePlan(spec, Action.RENEW, reasons)
    repairs = tuple(_repair_reasons(spec, found, around))
    return CertificatePlan(spec, Action.REPAIR, repairs) if repairs else CertificatePlan(spec, Action.KEEP)


def _key_reasons(spec: CertificateSpec, found: CurrentCertificate, current: Current) -> Iterator[Reason]:
    """Why the leaf's key cannot stay."""
    key, certificate = found.private_key, found.certificate.value
    if key.value is None:
        yield _missing_or_unreadable("key", key)
    elif facts.key_type_of(key.value.public_key()) != spec.key_type:
        yield Reason.KEY_TYPE_DIFFERS
    if (certificate and certificate.serial_number in current.revoked) or _was_revoked(key, current):
        yield Reason.REVOKED


def _was_revoked(key: Found[PrivateKey], current: Current) -> bool:
    """Whether a revoked certificate was for this key, which is then as suspect as the certificate."""
    if key.value is None:
        return False
    own = key.value.public_key()
    return any(
        entry.certificate is not None
        and entry.serial in current.revoked
        and facts.same_key(own, entry.certificate.public_key())
        for entry in current.issued
    )


def _certificate_reasons(spec: CertificateSpec, found: CurrentCertificate, around: Surroundings) -> Iterator[Reason]:
    """Why the certificate cannot stay."""
    certificate, key = found.certificate.value, found.private_key.value
    if certificate is None:
        yield _missing_or_unreadable("certificate", found.certificate)
        return
    if key and not facts.same_key(key.public_key(), certificate.public_key()):
        yield Reason.KEY_DIFFERS
    # One of a former CA stays until it ends: peers that do not know the new CA yet need it.
    signer = around.current.signer_of(certificate)
    if signer is None:
        yield Reason.ISSUER_DIFFERS
    if certificate.subject != facts.subject_name(spec.common_name, spec.organization):
        yield Reason.SUBJECT_DIFFERS
    if set(facts.alt_names_of(certificate)) != set(spec.alt_names):
        yield Reason.SUBJECT_ALT_NAME_DIFFERS
    if facts.usage_of(certificate) != spec.usage:
        yield Reason.USAGE_DIFFERS
    end = facts.not_valid_after(certificate)
    if end - facts.not_valid_before(certificate) > timedelta(days=spec.valid_days):
        yield Reason.VALID_DAYS_EXCEEDED
    if signer and end > around.end_of(signer):
        yield Reason.OUTLIVES_CA
    if end - around.now < around.spec.renew_before:
        yield Reason.EXPIRES_SOON


def _repair_reasons(spec: CertificateSpec, found: CurrentCertificate, around: Surroundings) -> Iterator[Reason]:
    """What is wrong around a certificate that stays."""
    certificate, key = found.certificate.value, found.private_key.value
    signer = None if certificate is None else around.current.signer_of(certificate)
    if certificate is None or key is None or signer is None:
        return
    allowed = around.spec.ownership.private_mode
    if found.private_key.is_open_to_others(allowed):
        yield Reason.KEY_EXPOSED
    if (spec.name, certificate.serial_number) not in {(entry.name, entry.serial) for entry in around.current.issued}:
        yield Reason.RECORD_MISSING
    above = around.chain_of(signer)
    if found.chain.value is None:
        yield Reason.CHAIN_MISSING
    elif above is None or found.chain.value != certificates_pem((certificate, *above)):
        yield Reason.CHAIN_DIFFERS
    if not spec.pkcs12:
        if found.pkcs12.value is not None:
            yield Reason.PKCS12_UNDECLARED
    elif found.pkcs12.value is None:
        yield Reason.PKCS12_MISSING
    elif (
        above is None
        or around.trusted is None
        or not is_pkcs12_of(found.pkcs12.value, spec, key, certificate, (*above, *around.trusted))
    ):
        yield Reason.PKCS12_DIFFERS
    elif found.pkcs12.is_open_to_others(allowed):
        yield Reason.PKCS12_EXPOSED


def _missing_or_unreadable(what: str, found: Found) -> Reason:
    return Reason(f"{what}_{found.problem}")
