# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a DB instance: creating, then available or whatever it ends in, deleting, gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from moto.rds import models
from moto.rds.exceptions import RDSClientError

from ..settings import settings
from .replace import replaces

CHANGING = {
    "creating",
    "deleting",
    "rebooting",
    "modifying",
    "backing-up",
    "resetting-master-credentials",
    "upgrading",
}
FAILED = {"failed", "incompatible-restore", "incompatible-network"}

# Whether the database behind the record answers. The stand-ins put their own answer here.
answers: list[Callable[[Any], bool]] = []


def refuse(database: Any, states: set[str]) -> None:
    if database.status in states:
        raise RDSClientError(
            "InvalidDBInstanceState", f"Instance {database.db_instance_identifier} is in {database.status} state."
        )


def refuse_snapshot(database: Any) -> None:
    """AWS takes none in other states, also where it is to be the final one."""
    if database.status not in ("available", "storage-optimization"):
        raise RDSClientError(
            "InvalidDBInstanceState",
            f"Cannot create a snapshot because the database instance {database.db_instance_identifier} is not "
            "currently in the available state.",
        )


def becomes(database: Any, status: str, seconds: float, *then: tuple[str, float]) -> None:
    """For so many seconds; then what follows, each with its seconds, and in the end available."""
    database.status, database.rehearsal_pending = status, {}
    database.rehearsal_due = time.monotonic() + seconds
    database.rehearsal_then = list(then)


# moto has none. On AWS, some changes are among these values before the state says anything of them.
@property  # type: ignore[misc]
def pending_modified_values(database: Any) -> dict[str, Any]:
    return getattr(database, "rehearsal_pending", {})


models.DBInstance.pending_modified_values = pending_modified_values  # type: ignore[attr-defined]


@replaces(models.RDSBackend, "create_db_instance")
def create_db_instance(original: Any, rds: Any, db_kwargs: dict[str, Any]) -> Any:
    database = original(rds, db_kwargs)
    becomes(database, "creating", settings.database_seconds)
    return database


# There is no endpoint before the instance has been available once.
@property  # type: ignore[misc]
def endpoint(database: Any) -> dict[str, Any] | None:
    if not getattr(database, "rehearsal_was_available", False):
        return None
    return {"Address": database.address, "Port": database.port, "HostedZoneId": "Z2R2ITUGPM61AM"}


models.DBInstance.endpoint = endpoint  # type: ignore[method-assign,assignment]


# AWS refuses what needs a running instance while it is being made or taken away.
@replaces(models.RDSBackend, "modify_db_instance")
def modify_db_instance(original: Any, rds: Any, db_instance_identifier: str, db_kwargs: dict[str, Any]) -> Any:
    refuse(rds.describe_db_instances(db_instance_identifier)[0], CHANGING)
    database = original(rds, db_instance_identifier, db_kwargs)
    # The master user's password is another one when the instance is available again, not before.
    if db_kwargs.get("master_user_password"):
        becomes(database, "resetting-master-credentials", 0)
    return database


@replaces(models.RDSBackend, "reboot_db_instance")
def reboot_db_instance(original: Any, rds: Any, db_instance_identifier: str) -> Any:
    database = original(rds, db_instance_identifier)
    refuse(database, CHANGING | FAILED)
    becomes(database, "rebooting", 0)
    return database


@replaces(models.RDSBackend, "create_db_snapshot")
def create_db_snapshot(original: Any, rds: Any, db_instance_identifier: str, *args: Any, **kwargs: Any) -> Any:
    database = rds.databases.get(db_instance_identifier)
    # Those that RDS makes by itself, the first of them at the creation, are not asked for through the API.
    if database and kwargs.get("snapshot_type", "manual") == "manual":
        refuse_snapshot(database)
    return original(rds, db_instance_identifier, *args, **kwargs)


@replaces(models.RDSBackend, "delete_db_instance")
def delete_db_instance(
    original: Any,
    rds: Any,
    db_instance_identifier: str,
    final_db_snapshot_identifier: str | None = None,
    skip_final_snapshot: bool | None = False,
    **kwargs: Any,
) -> Any:
    identifier, snapshot = db_instance_identifier, final_db_snapshot_identifier
    database = rds.databases.get(identifier)
    if not database:
        return original(rds, identifier, snapshot, skip_final_snapshot, **kwargs)
    refuse(database, CHANGING)
    # AWS wants to be told, one way or the other.
    if not skip_final_snapshot and not snapshot:
        raise RDSClientError(
            "InvalidParameterCombination",
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
        )
    if not skip_final_snapshot:
        refuse_snapshot(database)
    if settings.deletion_seconds <= 0 or database.deletion_protection:
        return original(rds, identifier, snapshot, skip_final_snapshot, **kwargs)
    # The snapshot is made first, and takes its time; until it is gone the instance is in its groups.
    if snapshot and not skip_final_snapshot:
        made = rds.create_db_snapshot(identifier, snapshot, snapshot_type="manual")
        becomes(made, "creating", settings.deletion_seconds / 2)
    becomes(database, "deleting", settings.deletion_seconds)
    database.rehearsal_delete = lambda: original(rds, identifier, None, True, **kwargs)
    return database


def advance(rds: Any, now: float) -> None:
    """Takes each instance and each snapshot to the state that it has by now."""
    for snapshot in rds.database_snapshots.values():
        if snapshot.status == "creating" and now >= getattr(snapshot, "rehearsal_due", now):
            snapshot.status = "available"
    for database in list(rds.databases.values()):
        while getattr(database, "rehearsal_then", None) and now >= (database.rehearsal_due or now):
            (status, seconds), *then = database.rehearsal_then
            becomes(database, status, seconds, *then)
        if getattr(database, "rehearsal_due", None) is None or now < database.rehearsal_due:
            continue
        if database.status == "deleting":
            database.rehearsal_due = None
            database.rehearsal_delete()
        elif settings.database_ends_in != "available":
            database.rehearsal_due, database.status = None, settings.database_ends_in
        elif all(answer(database) for answer in answers):
            database.rehearsal_due, database.status = None, "available"
            database.rehearsal_was_available = True
            if finish := database.__dict__.pop("rehearsal_finish", None):
                finish()
