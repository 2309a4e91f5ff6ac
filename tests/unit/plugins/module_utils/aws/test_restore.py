# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database in RDS can be restored from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.restore import (
    Wanted,
    moment_of,
    moment_problems,
    snapshot_problems,
)

WANTED = Wanted("17", "orthweb_admin")
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
SNAPSHOT = {
    "Status": "available",
    "Engine": "postgres",
    "EngineVersion": "17.6",
    "MasterUsername": "orthweb_admin",
    "Encrypted": True,
}
DATABASE = {**SNAPSHOT, "StorageEncrypted": True, "BackupRetentionPeriod": 7}
BACKUPS = {"RestoreWindow": {"EarliestTime": NOON - timedelta(days=7), "LatestTime": NOON}}


@pytest.mark.parametrize("text", ["2026-11-28T12:00:00Z", "2026-11-28 13:00+01:00"])
def test_a_moment_is_in_utc(text: str) -> None:
    assert moment_of(text) == NOON


def test_latest_is_no_moment() -> None:
    assert moment_of("latest") is None


@pytest.mark.parametrize("text", ["2026-11-28T12:00:00", "2026-11-28", "yesterday", ""])
def test_a_time_without_a_zone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a moment\. Give a time with its zone"):
        moment_of(text)


def of_snapshot(found: dict[str, Any] | None, name: str = "clinic-final", is_shared: bool = False) -> list[str]:
    return list(snapshot_problems(name, "eu-central-1", found, WANTED, is_shared=is_shared))


SHARED = "arn:aws:rds:eu-central-1:222222222222:snapshot:theirs"


def test_a_snapshot_of_another_account_has_to_be_copied_first() -> None:
    """Sharing a DB snapshot: "you can't restore a DB instance from a DB snapshot that is both shared and encrypted"."""
    (said,) = of_snapshot(SNAPSHOT, SHARED, is_shared=True)
    assert "is another account's, and RDS restores no encrypted one of those" in said
    copy = f"--source-db-snapshot-identifier {SHARED} --target-db-snapshot-identifier theirs-encrypted"
    assert copy in said
    (said,) = of_snapshot({**SNAPSHOT, "Encrypted": False}, SHARED, is_shared=True)
    assert "is not encrypted" in said
    assert copy in said


def test_who_has_to_share_a_snapshot_that_is_not_found() -> None:
    assert "that account has to share it with this one" in of_snapshot(None, SHARED)[0]
    assert "give its ARN" in of_snapshot(None)[0]


def of_moment(found: dict[str, Any] | None, moment: datetime | None = None, backed_up: bool = True) -> list[str]:
    backups = BACKUPS if backed_up else None
    return list(moment_problems("clinic", "eu-central-1", found, backups, moment, WANTED))


def test_a_good_snapshot_and_a_good_moment() -> None:
    assert of_snapshot(SNAPSHOT) == []
    assert of_moment(DATABASE) == []
    assert of_moment(DATABASE, NOON - timedelta(hours=1)) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, 'There is no snapshot "clinic-final" of an RDS database in eu-central-1.'),
        ({**SNAPSHOT, "Status": "creating"}, 'is "creating". Wait until it is "available"'),
        ({**SNAPSHOT, "Engine": "mysql"}, 'is of the engine "mysql", not PostgreSQL'),
        ({**SNAPSHOT, "EngineVersion": "16.10"}, "set orthweb_rds_engine_version: 16"),
        ({**SNAPSHOT, "MasterUsername": "root"}, "set aws_database_master_user: root"),
        ({**SNAPSHOT, "Encrypted": False}, "--target-db-snapshot-identifier clinic-final-encrypted --kms-key-id KEY"),
    ],
)
def test_what_can_be_wrong_with_a_snapshot(found: dict[str, Any] | None, said: str) -> None:
    (problem,) = of_snapshot(found)
    assert said in problem


def test_all_of_it_is_said() -> None:
    assert len(of_snapshot({"Status": "deleting", "Engine": "postgres"})) == 4


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, 'There is no RDS database "clinic" in eu-central-1. Of one that was deleted, there may be snapshots.'),
        ({**DATABASE, "StorageEncrypted": False}, "is not encrypted"),
        ({**DATABASE, "BackupRetentionPeriod": 0}, "keeps no automated backups"),
        ({**DATABASE, "EngineVersion": "18.1"}, "set orthweb_rds_engine_version: 18"),
    ],
)
def test_what_can_be_wrong_with_a_database(found: dict[str, Any] | None, said: str) -> None:
    (problem,) = of_moment(found)
    assert said in problem


@pytest.mark.parametrize("moment", [NOON + timedelta(seconds=1), NOON - timedelta(days=8)])
def test_a_moment_that_rds_does_not_have(moment: datetime) -> None:
    (problem,) = of_moment(DATABASE, moment)
    assert "a moment from 2026-11-21T12:00:00Z to 2026-11-28T12:00:00Z, not to 202" in problem


def test_no_backups_at_all() -> None:
    (problem,) = of_moment(DATABASE, backed_up=False)
    assert "from a snapshot only" in problem
