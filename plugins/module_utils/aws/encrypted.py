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
    """Of RDS: snapshots, automated backups whose instance is gone, and instances that are not the stack's."""

    def listed(call: str, answer: str, **arguments: str) -> list[dict[str, Any]]:
        return pages(question.client, call, answer, **arguments)

    snapshots = [
        *listed("describe_db_snapshots", "DBSnapshots", SnapshotType="manual"),
        *listed("describe_db_snapshots", "DBSnapshots", SnapshotType="awsbackup"),
    ]
    backups = listed("describe_db_instance_automated_backups", "DBInstanceAutomatedBackups")
    retained = [item for item in backups if item.get("Status") == "retained"]
    instances = listed("describe_db_instances", "DBInstances")
    theirs = [item for item in instances if not question.is_ours(tags_of(item.get("TagList")))]
    return [
        *(_one("db_snapshots", item["DBSnapshotIdentifier"], item) for item in snapshots),
        *(_one("db_automated_backups", item["DbiResourceId"], item) for item in retained),
        *(_one("db_instances", item["DBInstanceIdentifier"], item) for item in theirs),
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
