# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done with the root and the intermediate CA."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from . import facts
from .authority import validity
from .current import Current
from .decisions import Action, AuthorityPlan, Reason
from .errors import CaGenerationError, CaKeyTypeError
from .ownership import CA_KEY_MODE
from .spec import AuthoritySpec, PkiSpec
from .standing import is_above
from .stored_authority import StoredAuthority

if TYPE_CHECKING:
    from cryptography import x509


def plan_root(spec: PkiSpec, found: StoredAuthority, now: datetime) -> AuthorityPlan:
    return _plan(spec.root, found, spec.renew_before, now, issuer=None)


def plan_intermediate(
    spec: PkiSpec, ca: AuthoritySpec, found: StoredAuthority, root: AuthorityPlan, current: Current, now: datetime
) -> AuthorityPlan:
    plan = _plan(ca, found, spec.renew_before, now, issuer=(root, current.root))
    if plan.action is not Action.REKEY and _is_of_former_root(found, root, current):
        # Its certificate leads those who trust the former root there, and another under the same name would not.
        raise CaGenerationError(
            "Giving the root a new key (ca.generation)",
            f"the intermediate CA under it needs one, too: declare ca.intermediate.generation: {found.generation + 1}",
        )
    return plan


def _is_of_former_root(found: StoredAuthority, root: AuthorityPlan, current: Current) -> bool:
    """Also where a run was cut off behind the root's new key."""
    if found.certificate is None:
        return False
    former = (*current.former, current.root) if root.action is Action.REKEY else current.former
    return any(is_above(ca, found) for ca in former)


def _plan(
    spec: AuthoritySpec,
    found: StoredAuthority,
    renew_before: timedelta,
    now: datetime,
    issuer: tuple[AuthorityPlan, StoredAuthority] | None,
) -> AuthorityPlan:
    _begins, new_end = validity(now, spec.valid_days, issuer and issuer[0].ends)
    certificate = found.certificate

    def plan(action: Action, *reasons: Reason, generation: int = found.generation) -> AuthorityPlan:
        keeps = certificate is not None and action in (Action.KEEP, Action.REPAIR)
        ends = facts.not_valid_after(certificate) if certificate and keeps else new_end
        return AuthorityPlan(spec=spec, action=action, reasons=reasons, generation=generation, ends=ends)

    repairs = tuple(_repair_reasons(spec, found))
    is_new = found.exists and _generation_is_new(spec, found)
    if certificate is None:
        if is_new:
            raise CaGenerationError(
                f"Giving {found.key_path} a new generation",
                f"its certificate is missing: declare generation {found.generation} for one run, which recreates it",
            )
        missing = (Reason.CERTIFICATE_MISSING,) if found.key else (Reason.KEY_MISSING, Reason.CERTIFICATE_MISSING)
        return plan(Action.ISSUE, *missing, *repairs)
    if is_new:
        return plan(Action.REKEY, Reason.GENERATION_DIFFERS, generation=found.generation + 1)
    reasons = tuple(_certificate_reasons(spec, certificate, renew_before, now))
    if issuer is not None:
        reasons = (*_issuer_reasons(certificate, *issuer), *reasons)
    if reasons:
        return plan(Action.RENEW, *reasons, *repairs)  # the key stays, and with it every certificate below
    return plan(Action.REPAIR, *repairs) if repairs else plan(Action.KEEP)


def _generation_is_new(spec: AuthoritySpec, found: StoredAuthority) -> bool:
    """Raises an error where the declared generation, or the declared type of its key, is out of the question."""
    tried = f"Comparing {spec.option} with {found.key_path}"
    declared = found.generation if spec.generation is None else spec.generation
    if declared < found.generation:
        raise CaGenerationError(tried, f"it is generation {found.generation}, but {declared} is declared")
    if declared > found.generation + 1:
        raise CaGenerationError(
            tried, f"it is generation {found.generation}, {found.generation + 1} is next, but {declared} is declared"
        )
    key_type = found.public_key and facts.key_type_of(found.public_key)
    if declared == found.generation and key_type != spec.key_type:
        raise CaKeyTypeError(tried, f"it is {key_type}, but {spec.key_type} is declared")
    return declared > found.generation


def _certificate_reasons(
    spec: AuthoritySpec, certificate: x509.Certificate, renew_before: timedelta, now: datetime
) -> Iterator[Reason]:
    if facts.path_length_of(certificate) != spec.path_length:
        yield Reason.PATH_LENGTH_DIFFERS
    if facts.name_constraints_of(certificate) != spec.name_constraints:
        yield Reason.NAME_CONSTRAINTS_DIFFER
    if facts.not_valid_after(certificate) - now < renew_before:
        yield Reason.EXPIRES_SOON


def _issuer_reasons(certificate: x509.Certificate, root: AuthorityPlan, found: StoredAuthority) -> Iterator[Reason]:
    if not found.issued(certificate):
        yield Reason.ISSUER_DIFFERS
    if facts.not_valid_after(certificate) > root.ends:
        yield Reason.OUTLIVES_CA


def _repair_reasons(spec: AuthoritySpec, found: StoredAuthority) -> Iterator[Reason]:
    if found.key is None:
        return
    if found.key_mode & 0o077 & ~CA_KEY_MODE:
        yield Reason.KEY_EXPOSED
    if spec.passphrase is not None and not found.key_is_encrypted:
        yield Reason.KEY_NOT_ENCRYPTED
