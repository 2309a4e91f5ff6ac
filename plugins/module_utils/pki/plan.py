# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done, and why: a function of what is declared, what is there, and the time. It touches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING

from .authority import certificates_pem
from .current import Current
from .decisions import Action, AuthorityPlan, CrlPlan, Plan, Reason
from .errors import CaKeyMissingError
from .layout import Tier
from .plan_authorities import plan_intermediate, plan_root
from .plan_certificates import Surroundings, live_serials, plan_certificate, revoked_by
from .plan_lists import plan_lists
from .spec import PkiSpec
from .standing import standing_after
from .stored_authority import StoredAuthority

if TYPE_CHECKING:
    from cryptography import x509


def make_plan(spec: PkiSpec, current: Current, now: datetime) -> Plan:
    """Raises :class:`PkiError` where something cannot be done, or is not to be done in passing."""
    root = plan_root(spec, current.root, now)
    intermediate = None
    if spec.intermediate and current.intermediate:
        intermediate = plan_intermediate(spec, spec.intermediate, current.intermediate, root, current, now)
    revokes = chain.from_iterable(revoked_by(entry, current, now) for entry in spec.certificates)
    standing = standing_after(current, revokes, now)
    all_former = _former_after(current, root, intermediate)
    former = standing.in_use(all_former)
    root = _with_bundle(root, current, former)
    around = Surroundings(
        spec=spec,
        current=current,
        root=root,
        intermediate=intermediate,
        trusted=None if root.makes_certificate else _trusted(current, former),
        now=now,
    )
    crl = plan_lists(spec.crl_valid_days, current, root, intermediate, standing.listing(all_former), standing, now)
    _require_keys(current, root, intermediate, crl)
    return Plan(
        root=root,
        intermediate=intermediate,
        former_in_use=former,
        former_to_encrypt=_former_to_encrypt(spec, current),
        certificates=tuple(plan_certificate(entry, around) for entry in spec.certificates),
        crl=crl,
        attributes=current.attributes,
        undeclared=_undeclared(spec, current, now),
    )


def _former_after(
    current: Current, root: AuthorityPlan, intermediate: AuthorityPlan | None
) -> tuple[StoredAuthority, ...]:
    """In the order in which they are read: root CAs, then intermediate ones, the oldest first."""
    replaced = [
        found
        for plan, found in ((root, current.root), (intermediate, current.intermediate))
        if plan and found and plan.action is Action.REKEY
    ]
    return tuple(sorted((*current.former, *replaced), key=lambda ca: (ca.tier, ca.generation)))


def _former_to_encrypt(spec: PkiSpec, current: Current) -> tuple[StoredAuthority, ...]:
    secured = {ca.tier for ca in (spec.root, spec.intermediate) if ca and ca.passphrase is not None}
    return tuple(ca for ca in current.former if ca.tier in secured and ca.key is not None and not ca.key_is_encrypted)


def _trusted(current: Current, former: Sequence[StoredAuthority]) -> tuple[x509.Certificate, ...]:
    """The bundle's certificates, where the root in place keeps its own."""
    roots = (current.root, *(ca for ca in former if ca.tier is Tier.ROOT))
    return tuple(ca.certificate for ca in roots if ca.certificate)


def _with_bundle(root: AuthorityPlan, current: Current, former: Sequence[StoredAuthority]) -> AuthorityPlan:
    """The bundle is written with the root: a new certificate, or a bundle that is not as it should be."""
    if root.makes_certificate:
        return root
    if current.bundle.value is None:
        reason = Reason.BUNDLE_MISSING
    elif current.bundle.value != certificates_pem(_trusted(current, former)):
        reason = Reason.BUNDLE_DIFFERS
    else:
        return root
    return replace(root, action=Action.REPAIR, reasons=(*root.reasons, reason))


def _require_keys(current: Current, root: AuthorityPlan, intermediate: AuthorityPlan | None, crl: CrlPlan) -> None:
    """A CA whose key is kept elsewhere can do nothing that takes a signature."""
    for ca in (current.root, *current.former):
        if ca.key is not None or ca.certificate is None:
            continue
        needs = [
            f"to sign its revocation list ({', '.join(entry.reasons)})"
            for entry in crl.lists
            if entry.ca is ca and entry.reasons
        ]
        if ca is current.root and root.action is not Action.REKEY:
            if root.makes_certificate:
                needs.append(f"to renew its own certificate ({', '.join(root.reasons)})")
            if intermediate and intermediate.makes_certificate:
                needs.append(f"to issue the intermediate CA's certificate ({', '.join(intermediate.reasons)})")
        if needs:
            tried = f"Reading the CA key {ca.key_path}"
            raise CaKeyMissingError(tried, f"it is missing, but needed {' and '.join(needs)}")


def _undeclared(spec: PkiSpec, current: Current, now: datetime) -> tuple[str, ...]:
    declared = {entry.name for entry in spec.certificates}
    names = {entry.name for entry in current.issued} - declared
    return tuple(sorted(name for name in names if live_serials(name, current, now)))
