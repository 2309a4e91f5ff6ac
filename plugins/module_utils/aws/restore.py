# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database in RDS is to be restored from, and why it cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

LATEST = "latest"


@dataclass(frozen=True)
class Wanted:
    """What the restored database has to be.

    :ivar version: major version of PostgreSQL, to which the parameter group belongs
    :ivar user: name of the master user, which comes with the data and cannot be changed
    """

    version: str
    user: str


def moment_of(text: str) -> datetime | None:
    """The moment in UTC; None for the latest one. Raises ValueError if it is neither, or has no time zone."""
    if text == LATEST:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(
            f'"{text}" is not a moment. Give a time with its zone, such as 2026-11-28T14:03:00Z or '
            f'2026-11-28T15:03:00+01:00, or "{LATEST}".'
        )
    return moment.astimezone(UTC)


def shown(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def snapshot_problems(
    name: str, region: str, found: Mapping[str, Any] | None, wanted: Wanted, *, is_shared: bool = False
) -> Iterator[str]:
    """Why a snapshot is of no use.

    :param found: what DescribeDBSnapshots says of it; None if it does not know it
    :param is_shared: whether it is another account's
    """
    if found is None:
        account = (
            " If it is another account's, give its ARN, and have that account share it with this one."
            if not name.startswith("arn:")
            else " If it is another account's, that account has to share it with this one."
        )
        yield (
            f'There is no snapshot "{name}" of an RDS database in {region}. '
            f"To list them: aws rds describe-db-snapshots --region {region}.{account}"
        )
        return
    copy = (
        f"aws rds copy-db-snapshot --source-db-snapshot-identifier {name} "
        f"--target-db-snapshot-identifier {name.rpartition(':')[2]}-encrypted --kms-key-id KEY"
    )
    status = found.get("Status")
    if status != "available":
        yield f'The snapshot "{name}" is "{status}". Wait until it is "available", then run this again.'
    yield from _database_problems(f'The snapshot "{name}"', found, wanted)
    if not found.get("Encrypted"):
        yield (
            f'The snapshot "{name}" is not encrypted, so the database would not be either. Make an encrypted copy, and '
            f"restore from that: {copy}"
        )
    elif is_shared:
        yield (
            f'The snapshot "{name}" is another account\'s, and RDS restores no encrypted one of those. Make a copy '
            f"with a key of this account, and restore from that: {copy}"
        )


def moment_problems(
    name: str,
    region: str,
    found: Mapping[str, Any] | None,
    backups: Mapping[str, Any] | None,
    moment: datetime | None,
    wanted: Wanted,
) -> Iterator[str]:
    """Why an instance cannot be restored to a moment.

    :param found: what DescribeDBInstances says of it; None if it does not know it
    :param backups: what DescribeDBInstanceAutomatedBackups says of it
    """
    if found is None:
        what = "are no automated backups" if name.startswith("arn:") else "is no RDS database"
        yield f'There {what} "{name}" in {region}. Of one that was deleted, there may be snapshots.'
        return
    yield from _database_problems(f'The database "{name}"', found, wanted)
    if not found.get("StorageEncrypted"):
        yield f'The database "{name}" is not encrypted, so the restored one would not be either.'
    window = (backups or {}).get("RestoreWindow") or {}
    if not found.get("BackupRetentionPeriod") or not window:
        yield f'RDS keeps no automated backups of "{name}", so it can be restored from a snapshot only.'
        return
    earliest, latest = window["EarliestTime"], window["LatestTime"]
    if moment and not earliest <= moment <= latest:
        yield f'"{name}" can be restored to a moment from {shown(earliest)} to {shown(latest)}, not to {shown(moment)}.'


def _database_problems(what: str, found: Mapping[str, Any], wanted: Wanted) -> Iterator[str]:
    if found.get("Engine") != "postgres":
        yield f'{what} is of the engine "{found.get("Engine")}", not PostgreSQL.'
        return
    major = str(found.get("EngineVersion", "")).partition(".")[0]
    if major != wanted.version:
        yield (
            f"{what} is of PostgreSQL {major}, and RDS restores it as that: set orthweb_rds_engine_version: {major}. "
            "Upgrade afterwards."
        )
    user = found.get("MasterUsername")
    if user != wanted.user:
        yield (
            f'{what} has the master user "{user}", which cannot be changed: set aws_database_master_user: {user}, not '
            f'"{wanted.user}".'
        )
