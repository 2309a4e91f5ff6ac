# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of engine versions of RDS: what can be upgraded to what, what is pending, what a major upgrade takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.responses import ActionResult
from moto.rds import models
from moto.rds.exceptions import RDSClientError
from moto.rds.responses import RDSResponse

from ..settings import settings
from .rds import NEWEST_MINOR
from .rds_life import becomes
from .rds_parameters import starts
from .replace import replaces

# Of all minor versions that there were, one that AWS does not offer any more.
WITHDRAWN = {"16.1"}


def major(version: Any) -> str:
    return str(version).partition(".")[0]


def targets(version: str) -> list[dict[str, Any]]:
    """Newer minor versions, and the newest of each later major one."""
    found = []
    for number, newest in NEWEST_MINOR.items():
        if (number == major(version) and newest != version) or int(number) > int(major(version)):
            found.append(
                {
                    "Engine": "postgres",
                    "EngineVersion": newest,
                    "Description": f"PostgreSQL {newest}",
                    "AutoUpgrade": number == major(version),
                    "IsMajorVersionUpgrade": number != major(version),
                }
            )
    return found


# moto has neither of these two calls. AWS lists a version that it has withdrawn only if asked for all.
def describe_db_engine_versions(response: Any) -> ActionResult:
    version = str(response.params.get("EngineVersion") or "")
    found = [
        {
            "Engine": "postgres",
            "EngineVersion": each,
            "DBParameterGroupFamily": f"postgres{major(each)}",
            "ValidUpgradeTarget": targets(each),
        }
        for each in ([version] if "." in version else NEWEST_MINOR.values())
        if major(each) in NEWEST_MINOR and (each not in WITHDRAWN or response.params.get("IncludeAll"))
    ]
    return ActionResult({"DBEngineVersions": found})


def describe_pending_maintenance_actions(response: Any) -> ActionResult:
    wanted = response.params.get("ResourceIdentifier")
    found = []
    for database in response.backend.databases.values():
        newest = NEWEST_MINOR.get(major(database.engine_version))
        if database.engine != "postgres" or newest in (None, database.engine_version):
            continue
        if wanted not in (None, database.db_instance_arn):
            continue
        action = {
            "Action": "db-upgrade",
            "Description": f"Automatic minor version upgrade to postgres {newest}",
            "AutoAppliedAfterDate": datetime.now(UTC) + timedelta(days=7),
        }
        found.append({"ResourceIdentifier": database.db_instance_arn, "PendingMaintenanceActionDetails": [action]})
    return ActionResult({"PendingMaintenanceActions": found})


RDSResponse.describe_db_engine_versions = describe_db_engine_versions  # type: ignore[attr-defined]
RDSResponse.describe_pending_maintenance_actions = describe_pending_maintenance_actions  # type: ignore[attr-defined]


# AWS upgrades to another major version only if told that it may, and with a parameter group of that version.
@replaces(models.RDSBackend, "modify_db_instance")
def modify_db_instance(original: Any, rds: Any, db_instance_identifier: str, db_kwargs: dict[str, Any]) -> Any:
    database = rds.describe_db_instances(db_instance_identifier)[0]
    version = NEWEST_MINOR.get(str(db_kwargs.get("engine_version")), str(db_kwargs.get("engine_version") or ""))
    group = rds.db_parameter_groups.get(
        db_kwargs.get("db_parameter_group_name") or database.db_parameter_group_name or ""
    )
    if database.engine != "postgres":
        return original(rds, db_instance_identifier, db_kwargs)
    after = version or database.engine_version
    if group and group.family != f"postgres{major(after)}":
        raise RDSClientError(
            "InvalidParameterCombination",
            f"The Parameter Group {group.name} with DBParameterGroupFamily {group.family} can't be used for this "
            f"instance. Please use a Parameter Group with DBParameterGroupFamily postgres{major(after)}",
        )
    if not version or version == database.engine_version:
        return original(rds, db_instance_identifier, db_kwargs)
    if version not in [each["EngineVersion"] for each in targets(database.engine_version)]:
        raise RDSClientError(
            "InvalidParameterCombination", f"Cannot upgrade postgres from {database.engine_version} to {version}"
        )
    if major(version) != major(database.engine_version) and not db_kwargs.get("allow_major_version_upgrade"):
        raise RDSClientError(
            "InvalidParameterCombination",
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.",
        )
    # Until the end, version and parameter group are the old ones; if it fails, after that, too.
    later = {"engine_version": version, "db_parameter_group_name": db_kwargs.get("db_parameter_group_name")}
    original(rds, db_instance_identifier, {key: value for key, value in db_kwargs.items() if key not in later})
    becomes(database, "available", settings.change_begins_seconds, ("upgrading", settings.database_seconds))
    database.rehearsal_pending = {"EngineVersion": version}

    def finish() -> None:
        if not settings.upgrade_fails:
            database.update(**{key: value for key, value in later.items() if value})
            starts(database)

    database.rehearsal_finish = finish
    return database


# A server certificate of a year.
@property  # type: ignore[misc]
def certificate_details(database: Any) -> dict[str, Any]:
    return {"CAIdentifier": database.ca_certificate_identifier, "ValidTill": database.created + timedelta(days=365)}


models.DBInstance.certificate_details = certificate_details  # type: ignore[attr-defined]
