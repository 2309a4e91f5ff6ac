# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done with the revocation lists.

All lists are in one file, since verifiers that check whole chains, nginx among them, want one of every CA on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from . import facts
from .authority import list_start
from .current import Current
from .decisions import Action, AuthorityPlan, CrlPlan, ListPlan, Reason
from .layout import Tier
from .standing import Standing, is_above
from .stored_authority import StoredAuthority

if TYPE_CHECKING:
    from cryptography import x509


def plan_lists(
    crl_valid_days: int,
    current: Current,
    root: AuthorityPlan,
    intermediate: AuthorityPlan | None,
    former: Sequence[StoredAuthority],
    standing: Standing,
    now: datetime,
) -> CrlPlan:
    life = timedelta(days=crl_valid_days)

    def plan(tier: Tier, ca: StoredAuthority | None, below: list[datetime], *, is_former: bool = False) -> ListPlan:
        """``below`` are the ends of the CAs under it."""
        found = current.crl_of(ca) if ca else None
        revoked = standing.revoked_of(ca) if ca else frozenset()
        # A CA that issues for CAs alone may be offline: its list lives as long as they do.
        until = max(below) if below and not (ca and standing.live_of(ca)) else None
        reasons = tuple(_reasons(current, found, revoked, until, life, now))
        return ListPlan(
            tier=tier,
            ca=ca,
            is_former=is_former,
            keeps=None if reasons else found,
            reasons=reasons,
            revoked=revoked,
            ends=until or list_start(now) + life,
        )

    lists = []
    if intermediate:
        lists.append(plan(Tier.INTERMEDIATE, _same_key(intermediate, current.intermediate), []))
    in_place = _same_key(root, current.root)
    below = [intermediate.ends] if intermediate else []
    lists.append(plan(Tier.ROOT, in_place, below + _ends_below(in_place, former)))
    lists += [plan(ca.tier, ca, _ends_below(ca, former), is_former=True) for ca in former]

    reasons = tuple(dict.fromkeys(reason for entry in lists for reason in entry.reasons))
    if current.crls.value is None:
        return CrlPlan(Action.ISSUE, reasons, tuple(lists))
    if not reasons and tuple(entry.keeps for entry in lists) != current.crls.value:
        reasons = (Reason.ISSUER_DIFFERS,)  # there is a list too many, of a CA that is of no use any more
    return CrlPlan(Action.RENEW if reasons else Action.KEEP, reasons, tuple(lists))


def _same_key(plan: AuthorityPlan, found: StoredAuthority | None) -> StoredAuthority | None:
    """The CA in place, if it keeps its key."""
    return None if plan.action is Action.REKEY else found


def _ends_below(ca: StoredAuthority | None, former: Sequence[StoredAuthority]) -> list[datetime]:
    if ca is None:
        return []
    return [facts.not_valid_after(each.certificate) for each in former if each.certificate and is_above(ca, each)]


def _reasons(
    current: Current,
    found: x509.CertificateRevocationList | None,
    revoked: frozenset[int],
    until: datetime | None,
    life: timedelta,
    now: datetime,
) -> Iterator[Reason]:
    if found is None:
        yield Reason(f"crl_{current.crls.problem}") if current.crls.value is None else Reason.ISSUER_DIFFERS
        return
    if revoked != frozenset(facts.revocations(found)):
        yield Reason.REVOCATIONS_DIFFER
    ends = facts.next_update(found)
    if ends < until if until else ends - now < life / 3:
        yield Reason.EXPIRES_SOON
