# SPDX-License-Identifier: GPL-3.0-or-later
"""How every certificate that was ever issued stands once the plan is carried out, and which CAs that needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from . import facts
from .current import Current
from .layout import Tier
from .stored_authority import StoredAuthority

if TYPE_CHECKING:
    from cryptography import x509


@dataclass(frozen=True, slots=True)
class Standing:
    """By serial number. A certificate is ``live`` while peers are to accept it: neither ended nor revoked."""

    signers: Mapping[int, StoredAuthority]  # without those whose record is damaged, and on no list
    live: frozenset[int]
    unended: frozenset[int]
    revoked: frozenset[int]

    def live_of(self, ca: StoredAuthority) -> frozenset[int]:
        """Leaf certificates; one whose CA is unknown may be of any."""
        return self._of(ca, self.live)

    def revoked_of(self, ca: StoredAuthority) -> frozenset[int]:
        """What is on the list of ``ca``; what is of nobody knows whom is on every list."""
        return self._of(ca, self.revoked)

    def in_use(self, former: Sequence[StoredAuthority]) -> tuple[StoredAuthority, ...]:
        """Those with a live certificate, and the roots above them: they are to be trusted."""
        return _with_roots_above(former, [ca for ca in former if self._of(ca, self.live)])

    def listing(self, former: Sequence[StoredAuthority]) -> tuple[StoredAuthority, ...]:
        """Those that need a revocation list, since there are peers that trust them: also for what is revoked."""
        return _with_roots_above(former, [ca for ca in former if self._of(ca, self.unended)])

    def _of(self, ca: StoredAuthority, serials: frozenset[int]) -> frozenset[int]:
        return frozenset(serial for serial in serials if self.signers.get(serial, ca) is ca)


def _with_roots_above(
    former: Sequence[StoredAuthority], some: Sequence[StoredAuthority]
) -> tuple[StoredAuthority, ...]:
    return tuple(ca for ca in former if ca in some or any(is_above(ca, each) for each in some))


def is_above(ca: StoredAuthority, other: StoredAuthority) -> bool:
    """Whether ``ca`` is the root of the intermediate CA ``other``."""
    return (
        ca.tier is Tier.ROOT
        and other.tier is Tier.INTERMEDIATE
        and other.certificate is not None
        and ca.issued(other.certificate)
    )


def standing_after(current: Current, revokes: Iterable[int], now: datetime) -> Standing:
    """The standing when ``revokes`` have been revoked, too."""
    revoked = frozenset((*current.revoked, *revokes))
    unended = frozenset(
        serial
        for serial, certificate in _known(current)
        if certificate is None or facts.not_valid_after(certificate) >= now
    )
    return Standing(signers=dict(_signers(current)), live=unended - revoked, unended=unended, revoked=revoked)


def _known(current: Current) -> Iterator[tuple[int, x509.Certificate | None]]:
    """Every certificate of ours: those of the ledger, and those in the folder, should the ledger be lost."""
    yield from ((entry.serial, entry.certificate) for entry in current.issued)
    in_place = (found.certificate.value for found in current.certificates.values())
    yield from ((each.serial_number, each) for each in in_place if each and current.signer_of(each))


def _signers(current: Current) -> Iterator[tuple[int, StoredAuthority]]:
    lists = [(ca, facts.revocations(crl)) for ca in current.authorities if (crl := current.crl_of(ca)) is not None]
    # What is on several lists is of nobody knows whom.
    times = Counter(serial for _ca, revocations in lists for serial in revocations)
    yield from ((serial, ca) for ca, revocations in lists for serial in revocations if times[serial] == 1)
    for serial, certificate in _known(current):
        signer = current.signer_of(certificate) if certificate else None
        if signer:
            yield serial, signer
