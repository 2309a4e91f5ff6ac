# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of RDS, and instances that are made from one or from a moment of another instance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from moto.rds import models
from moto.rds.exceptions import DBSnapshotNotFoundFault, RDSClientError
from moto.rds.responses import RDSResponse

from .replace import replaces


@dataclass(frozen=True)
class Origin:
    """Where the data of a restored instance comes from.

    :ivar snapshot: ARN of the snapshot that was taken of it; empty for a moment of an instance
    :ivar address: endpoint of the instance
    :ivar moment: None for the latest one
    """

    snapshot: str = ""
    address: str = ""
    moment: datetime | None = None


class Keeper(Protocol):
    def keep(self, database: Any, origin: Origin) -> None:
        """Copies the data of an instance, for a snapshot."""


# The stand-ins put their own here, as they have the data.
keepers: list[Keeper] = []


@replaces(models.RDSBackend, "create_db_snapshot")
def create_db_snapshot(original: Any, rds: Any, db_instance_identifier: str, *args: Any, **kwargs: Any) -> Any:
    snapshot = original(rds, db_instance_identifier, *args, **kwargs)
    snapshot.rehearsal_origin = Origin(snapshot=snapshot.db_snapshot_arn)
    if snapshot.snapshot_type == "manual":
        for keeper in keepers:
            keeper.keep(rds.databases[db_instance_identifier], snapshot.rehearsal_origin)
    return snapshot


# AWS finds an automated one, and one of AWS Backup, by its name only if told the type.
@replaces(RDSResponse, "describe_db_snapshots")
def describe_db_snapshots(original: Any, response: Any) -> Any:
    name = response.params.get("DBSnapshotIdentifier") or ""
    if name.rpartition(":snapshot:")[2].startswith(("rds:", "awsbackup:")) and not response.params.get("SnapshotType"):
        raise DBSnapshotNotFoundFault(name)
    return original(response)


# A restoration need not be told.
@replaces(models.RDSBackend, "describe_db_snapshots")
def described_by_name(
    original: Any,
    rds: Any,
    db_instance_identifier: str | None,
    db_snapshot_identifier: str | None = None,
    snapshot_type: str | None = None,
    filters: dict[str, Any] | None = None,
) -> Any:
    if (db_snapshot_identifier or "").startswith("awsbackup:"):
        snapshot_type = snapshot_type or "awsbackup"
    return original(rds, db_instance_identifier, db_snapshot_identifier, snapshot_type, filters)


@replaces(models.RDSBackend, "copy_db_snapshot")
def copy_db_snapshot(original: Any, rds: Any, source_db_snapshot_identifier: str, *args: Any, **kwargs: Any) -> Any:
    snapshot = original(rds, source_db_snapshot_identifier, *args, **kwargs)
    snapshot.rehearsal_origin = rds.get_db_snapshot(source_db_snapshot_identifier).rehearsal_origin
    return snapshot


# On AWS, a restored instance has these unless others are given. moto takes its source's.
UNLESS_GIVEN: dict[str, Any] = {
    "tags": None,
    "deletion_protection": False,
    "db_parameter_group_name": None,
    "vpc_security_group_ids": None,
}


def restored(overrides: dict[str, Any], origin: Origin) -> dict[str, Any]:
    plain = {name: value for name, value in UNLESS_GIVEN.items() if not overrides.get(name)}
    plain |= {name: value for name, value in overrides.items() if value is False}  # moto takes no false for an answer
    return {**overrides, "rehearsal_origin": origin, "rehearsal_plain": plain}


@replaces(models.RDSBackend, "restore_db_instance_from_db_snapshot")
def restore_db_instance_from_db_snapshot(
    original: Any, rds: Any, from_snapshot_id: str, overrides: dict[str, Any]
) -> Any:
    snapshot = rds.describe_db_snapshots(None, from_snapshot_id.rpartition(":snapshot:")[2])[0]
    if snapshot.status != "available":
        raise RDSClientError(
            "InvalidDBSnapshotState", f"DBSnapshot must have state available but actually has {snapshot.status}"
        )
    return original(rds, from_snapshot_id, restored(overrides, snapshot.rehearsal_origin))


@replaces(models.RDSBackend, "restore_db_instance_to_point_in_time")
def restore_db_instance_to_point_in_time(
    original: Any, rds: Any, source_db_identifier: str | None, target_db_identifier: str, overrides: dict[str, Any]
) -> Any:
    copies = None
    if arn := overrides.get("source_db_instance_automated_backups_arn"):
        (copies,) = rds.describe_db_instance_automated_backups(db_instance_automated_backups_arn=arn)
    source = copies.database if copies else rds.describe_db_instances(source_db_identifier)[0]
    if not source.backup_retention_period:
        raise RDSClientError("PointInTimeRestoreNotEnabled", f"Instance {source.name} has no automated backups.")
    moment = overrides.get("restore_time")
    if moment and not source.created <= moment.replace(tzinfo=None) <= source.latest_restorable_time:
        raise RDSClientError("InvalidRestoreFault", f"{source_db_identifier} cannot be restored to {moment}.")
    wanted = restored(overrides, Origin(address=source.address, moment=moment))
    if not copies:
        return original(rds, source_db_identifier, target_db_identifier, wanted)
    kept = ("engine", "engine_version", "db_instance_class", "master_username", "allocated_storage", "storage_type")
    there = {name: getattr(source, name) for name in kept} | {"master_user_password": source._master_user_password}
    of_copies = {"kms_key_id": copies.kms_key_id, "storage_encrypted": True}
    given = {name: value for name, value in wanted.items() if value}
    return rds.create_db_instance({**there, **of_copies, **given, "db_instance_identifier": target_db_identifier})


@replaces(models.DBInstance, "__init__")
def init(original: Any, database: Any, *args: Any, **kwargs: Any) -> None:
    original(database, *args, **{**kwargs, **kwargs.get("rehearsal_plain", {})})
    # Before it is among the instances, where the stand-ins look for new ones.
    database.rehearsal_origin = kwargs.get("rehearsal_origin")


# moto says nothing of the backups but their name and state.
def restore_window(backups: Any) -> dict[str, Any]:
    """From when to when the instance can be restored."""
    database = backups.backend.databases.get(backups.db_instance_identifier)
    latest = database.latest_restorable_time if database else backups.automated_snapshots[-1].created
    return {"EarliestTime": backups.automated_snapshots[0].created, "LatestTime": latest}


models.DBInstanceAutomatedBackup.restore_window = property(restore_window)  # type: ignore[attr-defined]
for attribute in ("dbi_resource_id", "kms_key_id", "encrypted"):
    of_the_last = property(lambda backups, name=attribute: getattr(backups.automated_snapshots[-1], name))
    setattr(models.DBInstanceAutomatedBackup, attribute, of_the_last)
