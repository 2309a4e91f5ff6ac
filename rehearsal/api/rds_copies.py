# SPDX-License-Identifier: GPL-3.0-or-later
"""Automated backups of RDS that are copied to another region. moto knows nothing of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.rds import models, responses
from moto.rds.exceptions import RDSClientError

from .replace import replaces


@dataclass
class Copies:
    database: Any
    db_instance_automated_backups_arn: str
    backup_retention_period: int
    kms_key_id: str
    tag_list: list[dict[str, str]]
    began: datetime

    encrypted = True

    def __getattr__(self, name: str) -> Any:
        """What it has from its database: identifiers, engine, version, master user."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.database, name)

    @property
    def lives(self) -> bool:
        return self.database in self.database.backend.databases.values()

    @property
    def status(self) -> str:
        return "replicating" if self.lives else "retained"

    @property
    def restore_window(self) -> dict[str, datetime]:
        return {"EarliestTime": self.began, "LatestTime": utcnow()}


def copies_of(rds: Any) -> list[Copies]:
    if not hasattr(rds, "rehearsal_copies"):
        rds.rehearsal_copies = []
    return rds.rehearsal_copies


# AWS copies from most regions to most. The pairs are in its documentation; this one takes three.
SOURCES = {"af-south-1": ["eu-central-1", "eu-west-1", "eu-west-2"]}
COMMON = ["ap-southeast-2", "eu-central-1", "eu-west-1", "eu-west-2", "us-east-1", "us-east-2", "us-west-2"]


def sources_of(region: str) -> list[str]:
    return [each for each in SOURCES.get(region, COMMON) if each != region]


def describe_source_regions(response: Any) -> ActionResult:
    """DescribeSourceRegions: also those that only snapshots can be copied from."""
    takes = sources_of(response.backend.region_name)
    found = [
        {
            "RegionName": each,
            "Endpoint": f"https://rds.{each}.amazonaws.com",
            "Status": "available",
            "SupportsDBInstanceAutomatedBackupsReplication": each in takes,
        }
        for each in sorted({*COMMON, *takes} - {response.backend.region_name})
    ]
    return ActionResult({"SourceRegions": found})


responses.RDSResponse.describe_source_regions = describe_source_regions  # type: ignore[attr-defined]


def start(response: Any) -> ActionResult:
    """StartDBInstanceAutomatedBackupsReplication."""
    rds, source = response.backend, response.params["SourceDBInstanceArn"]
    region, account, _kind, name = source.split(":")[3:]
    if region not in sources_of(rds.region_name):
        raise RDSClientError(
            "InvalidParameterValue", f"Automated backups of {region} can't be replicated to {rds.region_name}."
        )
    database = models.rds_backends[account][region].databases.get(name)
    if not database:
        raise RDSClientError("DBInstanceNotFound", f"DBInstance {source} not found.")
    if database.status != "available" or not database.backup_retention_period:
        raise RDSClientError("InvalidDBInstanceState", f"{name} is not available, or has no automated backups.")
    key = response.params.get("KmsKeyId")
    if database.storage_encrypted and (not key or key.split(":")[3] != rds.region_name):
        raise RDSClientError("KMSKeyNotAccessibleFault", f"The key {key} is not in {rds.region_name}.")
    copies = Copies(
        database,
        f"arn:aws:rds:{rds.region_name}:{account}:auto-backup:ab-{name}",
        int(response.params.get("BackupRetentionPeriod") or 7),
        key,
        response.params.get("Tags") or [],
        utcnow(),
    )
    copies_of(rds).append(copies)
    return ActionResult({"DBInstanceAutomatedBackup": copies})


responses.RDSResponse.start_db_instance_automated_backups_replication = start  # type: ignore[attr-defined]


@replaces(models.RDSBackend, "describe_db_instance_automated_backups")
def describe_db_instance_automated_backups(
    original: Any, rds: Any, db_instance_identifier: str | None = None, **more: Any
) -> list[Any]:
    arn = more.get("db_instance_automated_backups_arn")
    found = [] if arn else original(rds, db_instance_identifier)
    return found + [
        each
        for each in copies_of(rds)
        if db_instance_identifier in (None, each.db_instance_identifier)
        and arn in (None, each.db_instance_automated_backups_arn)
    ]
