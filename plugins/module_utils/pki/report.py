# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module returns, and what ``--diff`` shows: what certificates say, never key material."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from . import facts
from .authority import validity
from .constraints import NameConstraints
from .current import Current
from .decisions import Action, AuthorityPlan, CertificatePlan, Plan, Reason, Reasons
from .layout import Layout, Tier, serial_text
from .spec import CertificateSpec, State
from .stored_authority import StoredAuthority

if TYPE_CHECKING:
    from cryptography import x509

Report = dict[str, Any]


def build_report(plan: Plan, layout: Layout, seen: Current, now: datetime, *, done: bool) -> Report:
    """The module's return values. ``seen`` is the folder after the plan was carried out (``done``) or instead of it.

    What only the run itself will know (serial number, fingerprint, end) is ``None`` where it was not carried out.
    """
    entries = [_certificate_report(entry, layout, seen, now, done=done) for entry in plan.certificates]
    root = _authority_report(plan.root, seen.root, layout, now, done=done)
    return {
        "changed": plan.changes_anything,
        "path": str(layout.folder),
        "ca": {**root, "bundle": str(layout.ca_bundle)},
        "intermediate_ca": plan.intermediate
        and seen.intermediate
        and _authority_report(plan.intermediate, seen.intermediate, layout, now, done=done),
        "former_cas": [_former_report(ca, plan, layout, now) for ca in plan.former_in_use],
        "crl": {
            **_decision(plan.crl.action, plan.crl.reasons),
            "path": str(layout.crl),
            **_crl_facts(plan, seen, done=done),
        },
        "certificates": entries,
        "by_name": {entry["name"]: entry for entry in entries},
        "undeclared": list(plan.undeclared),
        "attributes": [str(change.path) for change in plan.attributes],
    }


def _authority_report(
    plan: AuthorityPlan, seen: StoredAuthority, layout: Layout, now: datetime, *, done: bool
) -> Report:
    files = layout.authority_files(plan.spec.tier)
    return {
        **_decision(plan.action, plan.reasons),
        "key": str(files.private_key),
        "offline": seen.key is None and not plan.makes_key,
        "generation": plan.generation,
        "certificate": str(files.certificate),
        **_certificate_facts(seen.certificate if done or not plan.makes_certificate else None, now),
    }


def _former_report(ca: StoredAuthority, plan: Plan, layout: Layout, now: datetime) -> Report:
    files = layout.former_files(ca.tier, ca.generation)
    encrypts = ca in plan.former_to_encrypt
    return {
        **_decision(*((Action.REPAIR, (Reason.KEY_NOT_ENCRYPTED,)) if encrypts else (Action.KEEP, ()))),
        "key": str(files.private_key),
        "offline": ca.key is None,
        "generation": ca.generation,
        "certificate": str(files.certificate),
        **_certificate_facts(ca.certificate, now),
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
        return dict.fromkeys(
            ("subject", "issuer", "fingerprint_sha256", "serial", "not_valid_before", "not_valid_after", "days_left")
        )
    end = facts.not_valid_after(certificate)
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "fingerprint_sha256": facts.fingerprint_sha256(certificate),
        "serial": serial_text(certificate.serial_number),
        "not_valid_before": _iso(facts.not_valid_before(certificate)),
        "not_valid_after": _iso(end),
        "days_left": (end - now).days,
    }


def _crl_facts(plan: Plan, seen: Current, *, done: bool) -> Report:
    """The number is that of the list of the CA that issues; the next update is the first of all lists."""
    lists = seen.crls.value if done or plan.crl.action is Action.KEEP else None
    if not lists:
        return {"number": None, "next_update": None}
    return {"number": facts.crl_number(lists[0]), "next_update": _iso(min(map(facts.next_update, lists)))}


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


# --- the diff: the same in a check as in the run, since it is made from the plan


def build_diff(plan: Plan, before: Current, now: datetime) -> Report:
    """``before`` and ``after`` of every part that changes."""
    old: Report = {}
    new: Report = {}
    for ca, found in zip(plan.authorities, (before.root, before.intermediate), strict=False):
        if found and ca.action is not Action.KEEP:
            part = "ca" if ca.spec.tier is Tier.ROOT else "intermediate_ca"
            certificate = found.certificate
            old[part] = certificate and {**_authority_says(certificate), **_problems(ca.reasons)}
            new[part] = {**_authority_will_say(ca), **_problems(())}
    if plan.crl.action is not Action.KEEP:
        old["crl"] = None if before.crls.value is None else _revoked(*map(facts.revocations, before.crls.value))
        new["crl"] = _revoked(*(entry.revoked for entry in plan.crl.lists))
    for entry in plan.certificates:
        if entry.action is Action.KEEP:
            continue
        certificate = before.certificates[entry.spec.name].certificate.value
        old[entry.spec.name] = certificate and {**_says(certificate), **_problems(entry.reasons)}
        _begins, end = validity(now, entry.spec.valid_days, plan.issuing.ends)
        new[entry.spec.name] = _after(entry, certificate, end)
    for former in plan.former_to_encrypt:
        old[f"former/{former.tier}.{former.generation}"] = _problems((Reason.KEY_NOT_ENCRYPTED,))
        new[f"former/{former.tier}.{former.generation}"] = _problems(())
    if plan.attributes:
        old["attributes"] = {str(change.path): change.before for change in plan.attributes}
        new["attributes"] = {str(change.path): change.after for change in plan.attributes}
    return {"before": old, "after": new}


def _authority_says(certificate: x509.Certificate) -> Report:
    return {
        "subject": certificate.subject.rfc4514_string(),
        **_limits(facts.path_length_of(certificate), facts.name_constraints_of(certificate)),
        **_end(facts.not_valid_after(certificate)),
    }


def _authority_will_say(plan: AuthorityPlan) -> Report:
    spec = plan.spec
    return {
        "subject": facts.subject_name(spec.common_name_of(plan.generation), spec.organization).rfc4514_string(),
        **_limits(spec.path_length, spec.name_constraints),
        **_end(plan.ends),
    }


def _limits(path_length: int | None, constraints: NameConstraints) -> Report:
    return {
        "path_length": path_length,
        "permitted": sorted(map(str, constraints.permitted)),
        "excluded": sorted(map(str, constraints.excluded)),
    }


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


def _revoked(*serials: Iterable[int]) -> Report:
    return {"revoked": [serial_text(serial) for serial in sorted({*chain.from_iterable(serials)})]}
