# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backup is due. What was made is asked of the repository, so nothing is forgotten while the host is off."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

RETRY_MINUTES = (1, 2, 5, 15, 30, 60)


@dataclass(frozen=True)
class Backup:
    """One that succeeded, as the repository has it."""

    label: str
    kind: str  # full, diff, incr
    start: datetime
    stop: datetime
    size: int  # of the database, in bytes
    stored: int  # what it takes in the repository
    first_wal: str


@dataclass(frozen=True)
class Plan:
    full_days: int
    differential_days: int  # 0: none
    incremental_hours: int  # 0: none
    hour: int  # UTC, from which full and differential ones are made
    drill_days: int = 0  # 0: none


def days_begun(hour: int, since: datetime, now: datetime) -> int:
    """How often it has been ``hour`` o'clock after ``since``."""
    first = since.replace(hour=hour, minute=0, second=0, microsecond=0)
    if first <= since:
        first += timedelta(days=1)
    return max(0, (now - first) // timedelta(days=1) + 1)


def due(plan: Plan, made: Collection[Backup], now: datetime, *, gap: bool) -> str | None:
    """``full``, ``diff``, ``incr`` or nothing.

    :param gap: whether WAL is missing since the newest one. Any later backup is complete without it; a full one in its
        place would let a compromised database fill the repository.
    """

    def newest(*kinds: str) -> datetime | None:
        return max((backup.start for backup in made if backup.kind in kinds), default=None)

    full, differential, latest = newest("full"), newest("full", "diff"), newest("full", "diff", "incr")
    if full is None or days_begun(plan.hour, full, now) >= plan.full_days:
        return "full"
    if gap:
        return "diff"
    if plan.differential_days and differential and days_begun(plan.hour, differential, now) >= plan.differential_days:
        return "diff"
    if plan.incremental_hours and latest and now - latest >= timedelta(hours=plan.incremental_hours):
        return "incr"
    return None


def drill_due(plan: Plan, last: datetime | None, since: datetime, now: datetime) -> bool:
    """Whether a backup has to be tried.

    :param last: when that was done last
    :param since: when there was something to try at first
    """
    return plan.drill_days > 0 and now - (last or since) >= timedelta(days=plan.drill_days)


def retry_after(failures: int) -> timedelta:
    """How long to wait after so many failures in a row."""
    return timedelta(minutes=RETRY_MINUTES[min(failures, len(RETRY_MINUTES)) - 1]) if failures > 0 else timedelta()
