# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module returns, and what ``--diff`` shows: what certificates say, never key material."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from . import facts
from .authority import validity
from .current import Current
from .layout import Layout, serial_text
from .plan import Action, CertificatePlan, CrlPlan, Plan, Reasons
from .spec import CertificateSpec, PkiSpec, State

if TYPE_CHECKING:
    from cryptography import x509

Report = dict[str, Any]


def build_report(plan: Plan, layout: Layout, seen: Current, now: datetime, *, done: bool) -> Report:
    """The module's return values. ``seen`` is the folder after the plan was carried out (``done``) or instead of it.

    What only the run itself will know (serial number, fingerprint, end) is ``None`` where it was not carried out.
    """
    entries = [_certificate_report(entry, layout, seen, now, done=done) for entry in plan.certificates]
    ca_certificate = seen.ca.certificate if done or not plan.ca.makes_certificate else None
    return {
        "changed": plan.changes_anything,
        "path": str(layout.folder),
        "ca": {
            **_decision(plan.ca.action, plan.ca.reasons),
            "key": str(layout.ca_key),
            "certificate": str(layout.ca_certificate),
            "bundle": str(layout.ca_bundle),
            **_certificate_facts(ca_certificate, now),
        },
        "crl": {
            **_decision(plan.crl.action, plan.crl.reasons),
            "path": str(layout.crl),
            **_crl_facts(plan.crl, seen, done=done),
        },
        "certificates": entries,
        "by_name": {entry["name"]: entry for entry in entries},
        "undeclared": list(plan.undeclared),
    }


def _certificate_report(plan: CertificatePlan, layout: Layout, seen: Current, now: datetime, *, done: bool) -> Report:
    spec, files = plan.spec, layout.files_of(plan.spec.name)
    stays = not plan.makes_certificate and plan.action is not Action.REMOVE
    certificate = seen.certificates[spec.name].certificate.value if done or stays else None
    names = facts.alt_names_of(certificate) if certificate else spec.alt_names
    return {
        "name": spec.name,
        "state": spec.state.value,
        **_decision(plan.action, plan.reasons),
        "private_key": str(files.private_key),
        "certificate": str(files.certificate),
        "chain": str(files.chain),
        "pkcs12": str(files.pkcs12) if spec.pkcs12 else None,
        "subject_alt_names": [str(name) for name in names],
        **_certificate_facts(certificate, now),
    }


def _decision(action: Action, reasons: Reasons) -> Report:
    return {"action": action.value, "reasons": [reason.value for reason in reasons]}


def _certificate_facts(certificate: x509.Certificate | None, now: datetime) -> Report:
    if certificate is None:
        return dict.fromkeys(("fingerprint_sha256", "serial", "not_valid_after", "days_left"))
    end = facts.not_valid_after(certificate)
    return {
        "fingerprint_sha256": facts.fingerprint_sha256(certificate),
        "serial": serial_text(certificate.serial_number),
        "not_valid_after": _iso(end),
        "days_left": (end - now).days,
    }


def _crl_facts(plan: CrlPlan, seen: Current, *, done: bool) -> Report:
    crl = seen.crl.value if done or plan.action is Action.KEEP else None
    if crl is None:
        return {"number": None, "next_update": None}
    return {"number": facts.crl_number(crl), "next_update": _iso(facts.next_update(crl))}


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


# --- the diff: the same in a check as in the run, since it is made from the plan


def build_diff(plan: Plan, spec: PkiSpec, before: Current, now: datetime) -> Report:
    """``before`` and ``after`` of every part that changes."""
    old: Report = {}
    new: Report = {}
    if plan.ca.action is not Action.KEEP:
        subject = {"subject": facts.subject_name(spec.ca.common_name, spec.ca.organization).rfc4514_string()}
        old["ca"] = before.ca.certificate and {
            **subject,
            **_end(facts.not_valid_after(before.ca.certificate)),
            **_problems(plan.ca.reasons),
        }
        new["ca"] = {**subject, **_end(plan.ca.ends), **_problems(())}
    if plan.crl.action is not Action.KEEP:
        revoked = {*before.revoked, *(serial for entry in plan.certificates for serial in entry.revokes)}
        old["crl"] = None if before.crl.value is None else _revoked(set(facts.revocations(before.crl.value)))
        new["crl"] = _revoked(revoked)
    for entry in plan.certificates:
        if entry.action is Action.KEEP:
            continue
        certificate = before.certificates[entry.spec.name].certificate.value
        old[entry.spec.name] = certificate and {**_says(certificate), **_problems(entry.reasons)}
        _begins, end = validity(now, entry.spec.valid_days, plan.ca.ends)
        new[entry.spec.name] = _after(entry, certificate, end)
    return {"before": old, "after": new}


def _after(plan: CertificatePlan, certificate: x509.Certificate | None, end: datetime) -> Report | None:
    match plan.spec.state:
        case State.ABSENT:
            return None
        case State.REVOKED:
            return {**(_says(certificate) if certificate else {}), "revoked": True, **_problems(())}
        case State.PRESENT:
            if certificate is None or plan.makes_certificate:
                return {**_will_say(plan.spec, end), **_problems(())}
            return {**_says(certificate), **_problems(())}


def _says(certificate: x509.Certificate) -> Report:
    key_type = facts.key_type_of(certificate.public_key())
    return {
        "subject": certificate.subject.rfc4514_string(),
        "subject_alt_names": sorted(map(str, facts.alt_names_of(certificate))),
        "usage": sorted(map(str, facts.usage_of(certificate))),
        "key_type": key_type.value if key_type else "other",
        **_end(facts.not_valid_after(certificate)),
    }


def _will_say(spec: CertificateSpec, end: datetime) -> Report:
    return {
        "subject": facts.subject_name(spec.common_name, spec.organization).rfc4514_string(),
        "subject_alt_names": sorted(map(str, spec.alt_names)),
        "usage": sorted(map(str, spec.usage)),
        "key_type": spec.key_type.value,
        **_end(end),
    }


def _end(moment: datetime) -> Report:
    return {"valid_until": f"{moment:%Y-%m-%d}"}


def _problems(reasons: Reasons) -> Report:
    """The reasons for a change are what is wrong before it."""
    return {"problems": [reason.value for reason in reasons]}


def _revoked(serials: set[int]) -> Report:
    return {"revoked": [serial_text(serial) for serial in sorted(serials)]}
