# SPDX-License-Identifier: GPL-3.0-or-later
"""What outlives a stack and is encrypted: without its key, nobody can read it any more.

The tags of backups do not matter. RDS leaves them out of a snapshot if somebody has switched CopyTagsToSnapshot off,
and what people and AWS Backup make has whatever tags they like.
"""

from __future__ import annotations

from typing import Any

from .resource import Question, pages, tags_of

_ENCRYPTED = [{"Name": "encrypted", "Values": ["true"]}]


def databases(question: Question) -> list[dict[str, Any]]:
    """Of RDS, beside snapshots by hand and instances (rds.py).

    AWS Backup's, and automated backups of what is not in this region: of an instance that is gone, and copies from
    another region.
    """
    snapshots = pages(question.client, "describe_db_snapshots", "DBSnapshots", SnapshotType="awsbackup")
    backups = pages(question.client, "describe_db_instance_automated_backups", "DBInstanceAutomatedBackups")
    alone = [item for item in backups if item.get("Status") != "active"]
    return [
        *(_one("db_snapshots", item["DBSnapshotIdentifier"], item) for item in snapshots),
        *(_one("db_automated_backups", item["DbiResourceId"], item) for item in alone),
    ]


def disks(question: Question) -> list[dict[str, Any]]:
    """Of EBS: snapshots, and volumes that are not the stack's."""
    snapshots = pages(question.client, "describe_snapshots", "Snapshots", OwnerIds=["self"], Filters=_ENCRYPTED)
    volumes = pages(question.client, "describe_volumes", "Volumes", Filters=_ENCRYPTED)
    theirs = [item for item in volumes if not question.is_ours(tags_of(item.get("Tags")))]
    return [
        *(_one("snapshots", item["SnapshotId"], item) for item in snapshots),
        *(_one("volumes", item["VolumeId"], item) for item in theirs),
    ]


def _one(kind: str, id_: str, item: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "id": id_, "key_arn": item.get("KmsKeyId")}
