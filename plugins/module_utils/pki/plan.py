# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done, and why: a function of what is declared, what is there, and the time. It touches nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING

from . import facts
from .authority import certificate_pem, is_pkcs12_of, validity
from .current import Current, CurrentCa, CurrentCertificate, Found
from .spec import CaSpec, CertificateSpec, PkiSpec, State

if TYPE_CHECKING:
    from cryptography import x509


class Action(StrEnum):
    KEEP = "keep"
    ISSUE = "issue"  # there was none
    RENEW = "renew"  # a new certificate for the same key
    REKEY = "rekey"  # a new key and a new certificate
    REPAIR = "repair"  # the files are completed from what is there
    REVOKE = "revoke"
    REMOVE = "remove"


class Reason(StrEnum):
    KEY_MISSING = "key_missing"
    KEY_UNREADABLE = "key_unreadable"
    KEY_TYPE_DIFFERS = "key_type_differs"
    KEY_DIFFERS = "key_differs"
    KEY_EXPOSED = "key_exposed"
    KEY_NOT_ENCRYPTED = "key_not_encrypted"
    CERTIFICATE_MISSING = "certificate_missing"
    CERTIFICATE_UNREADABLE = "certificate_unreadable"
    ISSUER_DIFFERS = "issuer_differs"
    SUBJECT_DIFFERS = "subject_differs"
    SUBJECT_ALT_NAME_DIFFERS = "subject_alt_name_differs"
    USAGE_DIFFERS = "usage_differs"
    VALID_DAYS_EXCEEDED = "valid_days_exceeded"
    OUTLIVES_CA = "outlives_ca"
    EXPIRES_SOON = "expires_soon"
    REVOKED = "revoked"
    RECORD_MISSING = "record_missing"
    CHAIN_MISSING = "chain_missing"
    CHAIN_DIFFERS = "chain_differs"
    BUNDLE_MISSING = "bundle_missing"
    BUNDLE_DIFFERS = "bundle_differs"
    PKCS12_MISSING = "pkcs12_missing"
    PKCS12_DIFFERS = "pkcs12_differs"
    PKCS12_EXPOSED = "pkcs12_exposed"
    PKCS12_UNDECLARED = "pkcs12_undeclared"
    CRL_MISSING = "crl_missing"
    CRL_UNREADABLE = "crl_unreadable"
    REVOCATIONS_DIFFER = "revocations_differ"
    DECLARED_REVOKED = "declared_revoked"
    DECLARED_ABSENT = "declared_absent"


Reasons = tuple[Reason, ...]

_NEW_CERTIFICATE = frozenset({Action.ISSUE, Action.RENEW, Action.REKEY})
_CA_KEY_FILE = frozenset({Reason.KEY_MISSING, Reason.KEY_EXPOSED, Reason.KEY_NOT_ENCRYPTED})


@dataclass(frozen=True, slots=True)
class CaPlan:
    action: Action
    ends: datetime  # the CA certificate's last second, once this is done
    reasons: Reasons = ()

    @property
    def makes_certificate(self) -> bool:
        return self.action in _NEW_CERTIFICATE

    @property
    def writes_key(self) -> bool:
        return not _CA_KEY_FILE.isdisjoint(self.reasons)


@dataclass(frozen=True, slots=True)
class CertificatePlan:
    spec: CertificateSpec
    action: Action
    reasons: Reasons = ()
    makes_key: bool = False
    revokes: tuple[int, ...] = ()  # serial numbers

    @property
    def makes_certificate(self) -> bool:
        return self.action in _NEW_CERTIFICATE


@dataclass(frozen=True, slots=True)
class CrlPlan:
    action: Action
    reasons: Reasons = ()


@dataclass(frozen=True, slots=True)
class Plan:
    ca: CaPlan
    certificates: tuple[CertificatePlan, ...]
    crl: CrlPlan
    undeclared: tuple[str, ...]  # names with a live certificate that the declaration does not mention

    @property
    def changes_anything(self) -> bool:
        actions = {self.ca.action, self.crl.action, *(entry.action for entry in self.certificates)}
        return actions != {Action.KEEP}


def make_plan(spec: PkiSpec, current: Current, now: datetime) -> Plan:
    ca = _plan_ca(spec, current.ca, now)
    certificates = tuple(_plan_certificate(entry, spec, current, ca, now) for entry in spec.certificates)
    revoked = {*current.revoked, *chain.from_iterable(entry.revokes for entry in certificates)}
    return Plan(
        ca=ca,
        certificates=certificates,
        crl=_plan_crl(spec, current, revoked, now),
        undeclared=_undeclared(spec, current, now),
    )


def _plan_ca(spec: PkiSpec, ca: CurrentCa, now: datetime) -> CaPlan:
    _begins, new_end = validity(now, spec.ca.valid_days)
    if ca.key is None:
        return CaPlan(Action.ISSUE, new_end, (Reason.KEY_MISSING, Reason.CERTIFICATE_MISSING))
    repairs = tuple(_ca_repairs(spec.ca, ca))
    if ca.certificate is None:
        return CaPlan(Action.ISSUE, new_end, (Reason.CERTIFICATE_MISSING, *repairs))
    if _ends_soon(ca.certificate, spec.renew_before, now):
        # The key stays, and with it every leaf certificate.
        return CaPlan(Action.RENEW, new_end, (Reason.EXPIRES_SOON, *repairs))
    return CaPlan(Action.REPAIR if repairs else Action.KEEP, facts.not_valid_after(ca.certificate), repairs)


def _ca_repairs(spec: CaSpec, ca: CurrentCa) -> Iterator[Reason]:
    if not ca.key_is_private:
        yield Reason.KEY_EXPOSED
    if spec.passphrase is not None and not ca.key_is_encrypted:
        yield Reason.KEY_NOT_ENCRYPTED
    if ca.bundle.value is None:
        yield Reason.BUNDLE_MISSING
    elif ca.certificate and ca.bundle.value != certificate_pem(ca.certificate):
        yield Reason.BUNDLE_DIFFERS


def _plan_certificate(
    spec: CertificateSpec, pki: PkiSpec, current: Current, ca: CaPlan, now: datetime
) -> CertificatePlan:
    found = current.certificates[spec.name]
    match spec.state:
        case State.ABSENT:
            files = (found.private_key, found.certificate, found.chain, found.pkcs12)
            if all(file.problem == "missing" for file in files):
                return CertificatePlan(spec, Action.KEEP)
            return CertificatePlan(spec, Action.REMOVE, (Reason.DECLARED_ABSENT,))
        case State.REVOKED:
            serials = tuple(sorted(_live_serials(spec.name, current, now)))
            if not serials:
                return CertificatePlan(spec, Action.KEEP)
            return CertificatePlan(spec, Action.REVOKE, (Reason.DECLARED_REVOKED,), revokes=serials)
        case State.PRESENT:
            return _plan_present(spec, pki, current, ca, now)


def _plan_present(spec: CertificateSpec, pki: PkiSpec, current: Current, ca: CaPlan, now: datetime) -> CertificatePlan:
    found = current.certificates[spec.name]
    key_reasons = tuple(_key_reasons(spec, found, current))
    certificate_reasons = tuple(_certificate_reasons(spec, pki, found, current.ca, ca, now))
    repairs = tuple(_repair_reasons(spec, found, current))
    reasons = key_reasons + certificate_reasons
    if found.certificate.value is None:
        return CertificatePlan(spec, Action.ISSUE, reasons, makes_key=bool(key_reasons))
    if key_reasons:
        return CertificatePlan(spec, Action.REKEY, reasons, makes_key=True)
    if certificate_reasons:
        return CertificatePlan(spec, Action.RENEW, reasons)
    return CertificatePlan(spec, Action.REPAIR, repairs) if repairs else CertificatePlan(spec, Action.KEEP)


def _key_reasons(spec: CertificateSpec, found: CurrentCertificate, current: Current) -> Iterator[Reason]:
    """Why the leaf's key cannot stay."""
    key, certificate = found.private_key, found.certificate.value
    if key.value is None:
        yield _reason("key", key)
    elif facts.key_type_of(key.value.public_key()) != spec.key_type:
        yield Reason.KEY_TYPE_DIFFERS
    if (certificate and certificate.serial_number in current.revoked) or _was_revoked(key, current):
        yield Reason.REVOKED


def _was_revoked(key: Found, current: Current) -> bool:
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


def _certificate_reasons(
    spec: CertificateSpec, pki: PkiSpec, found: CurrentCertificate, ca: CurrentCa, ca_plan: CaPlan, now: datetime
) -> Iterator[Reason]:
    """Why the certificate cannot stay."""
    certificate, key = found.certificate.value, found.private_key.value
    if certificate is None:
        yield _reason("certificate", found.certificate)
        return
    if key and not facts.same_key(key.public_key(), certificate.public_key()):
        yield Reason.KEY_DIFFERS
    if ca.key is None or not facts.is_signed_by(certificate, ca.key.public_key()):
        yield Reason.ISSUER_DIFFERS
    if certificate.subject != facts.subject_name(spec.common_name, spec.organization):
        yield Reason.SUBJECT_DIFFERS
    if set(facts.alt_names_of(certificate)) != set(spec.alt_names):
        yield Reason.SUBJECT_ALT_NAME_DIFFERS
    if facts.usage_of(certificate) != spec.usage:
        yield Reason.USAGE_DIFFERS
    if facts.not_valid_after(certificate) - facts.not_valid_before(certificate) > timedelta(days=spec.valid_days):
        yield Reason.VALID_DAYS_EXCEEDED
    if facts.not_valid_after(certificate) > ca_plan.ends:
        yield Reason.OUTLIVES_CA
    if _ends_soon(certificate, pki.renew_before, now):
        yield Reason.EXPIRES_SOON


def _repair_reasons(spec: CertificateSpec, found: CurrentCertificate, current: Current) -> Iterator[Reason]:
    """What is wrong around a certificate that stays."""
    certificate, key, ca = found.certificate.value, found.private_key.value, current.ca.certificate
    if certificate is None or key is None:
        return
    if not found.private_key.is_private:
        yield Reason.KEY_EXPOSED
    if (spec.name, certificate.serial_number) not in {(entry.name, entry.serial) for entry in current.issued}:
        yield Reason.RECORD_MISSING
    if found.chain.value is None:
        yield Reason.CHAIN_MISSING
    elif found.chain.value != certificate_pem(certificate):
        yield Reason.CHAIN_DIFFERS
    if not spec.pkcs12:
        if found.pkcs12.value is not None:
            yield Reason.PKCS12_UNDECLARED
    elif found.pkcs12.value is None:
        yield Reason.PKCS12_MISSING
    elif ca is None or not is_pkcs12_of(found.pkcs12.value, spec, key, certificate, ca):
        yield Reason.PKCS12_DIFFERS
    elif not found.pkcs12.is_private:
        yield Reason.PKCS12_EXPOSED


def _plan_crl(spec: PkiSpec, current: Current, revoked: set[int], now: datetime) -> CrlPlan:
    crl, ca_key = current.crl.value, current.ca.key
    if crl is None:
        return CrlPlan(Action.ISSUE, (_reason("crl", current.crl),))
    if ca_key is None or not crl.is_signature_valid(ca_key.public_key()):
        return CrlPlan(Action.RENEW, (Reason.ISSUER_DIFFERS,))
    reasons = []
    if revoked != set(facts.revocations(crl)):
        reasons.append(Reason.REVOCATIONS_DIFFER)
    if facts.next_update(crl) - now < timedelta(days=spec.crl_valid_days) / 3:
        reasons.append(Reason.EXPIRES_SOON)
    return CrlPlan(Action.RENEW, tuple(reasons)) if reasons else CrlPlan(Action.KEEP)


def _undeclared(spec: PkiSpec, current: Current, now: datetime) -> tuple[str, ...]:
    declared = {entry.name for entry in spec.certificates}
    names = {entry.name for entry in current.issued} - declared
    return tuple(sorted(name for name in names if _live_serials(name, current, now)))


def _live_serials(name: str, current: Current, now: datetime) -> set[int]:
    """The serial numbers under ``name`` that a peer would still accept, renewed certificates' predecessors too."""
    known = [(entry.serial, entry.certificate) for entry in current.issued if entry.name == name]
    found = current.certificates.get(name)
    certificate = found.certificate.value if found else None
    if certificate and current.ca.key and facts.is_signed_by(certificate, current.ca.key.public_key()):
        known.append((certificate.serial_number, certificate))
    return {
        serial
        for serial, certificate in known
        if serial not in current.revoked and (certificate is None or facts.not_valid_after(certificate) >= now)
    }


def _reason(what: str, found: Found) -> Reason:
    return Reason(f"{what}_{found.problem}")


def _ends_soon(certificate: x509.Certificate, renew_before: timedelta, now: datetime) -> bool:
    return facts.not_valid_after(certificate) - now < renew_before
