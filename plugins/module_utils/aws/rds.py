# SPDX-License-Identifier: GPL-3.0-or-later
"""Resources of RDS. It cannot filter by tag; instances and snapshots carry their tags in the answer, groups do not."""

from __future__ import annotations

from typing import Any

from .resource import Question, pages, resource, tags_of


def instances(question: Question) -> list[dict[str, Any]]:
    """Instances; of ours also what takes calls of its own: newer versions, and what RDS is going to do to them."""
    found = [_instance(item) for item in pages(question.client, "describe_db_instances", "DBInstances")]
    return [each | _outlook(question, each) if question.is_ours(each["tags"]) else each for each in found]


def _outlook(question: Question, instance: dict[str, Any]) -> dict[str, Any]:
    # IncludeAll: a version that RDS has withdrawn can still be upgraded.
    version = {"Engine": instance["engine"], "EngineVersion": instance["engine_version"], "IncludeAll": True}
    versions = pages(question.client, "describe_db_engine_versions", "DBEngineVersions", **version)
    call, answer = "describe_pending_maintenance_actions", "PendingMaintenanceActions"
    pending = pages(question.client, call, answer, ResourceIdentifier=instance["arn"])
    return {
        "upgrades": [
            {
                "version": target["EngineVersion"],
                "major": bool(target.get("IsMajorVersionUpgrade")),
                "automatic": bool(target.get("AutoUpgrade")),
            }
            for each in versions
            for target in each.get("ValidUpgradeTarget", [])
        ],
        "maintenance": [
            {
                "action": action["Action"],
                "description": action.get("Description", ""),
                "date": _date(action.get("CurrentApplyDate") or action.get("AutoAppliedAfterDate")),
                "forced_date": _date(action.get("ForcedApplyDate")),
            }
            for each in pending
            for action in each.get("PendingMaintenanceActionDetails", [])
        ],
    }


def _date(time: Any) -> str:
    return f"{time:%Y-%m-%d}" if time else ""


def snapshots(question: Question) -> list[dict[str, Any]]:
    """Snapshots made by hand or by a deletion; the automated ones go with their instance."""
    found = pages(question.client, "describe_db_snapshots", "DBSnapshots", SnapshotType="manual")
    return [
        resource(
            item["DBSnapshotIdentifier"],
            item["DBSnapshotIdentifier"],
            item.get("Status"),
            tags_of(item.get("TagList")),
            arn=item.get("DBSnapshotArn"),
            db_instance=item.get("DBInstanceIdentifier"),
            allocated_storage=item.get("AllocatedStorage"),
            kms_key_arn=item.get("KmsKeyId"),
        )
        for item in found
    ]


def subnet_groups(question: Question) -> list[dict[str, Any]]:
    found = pages(question.client, "describe_db_subnet_groups", "DBSubnetGroups")
    return [
        resource(
            item["DBSubnetGroupName"],
            item["DBSubnetGroupName"],
            item.get("SubnetGroupStatus"),
            _tags(question, item["DBSubnetGroupArn"]),
            arn=item["DBSubnetGroupArn"],
            description=item.get("DBSubnetGroupDescription"),
            vpc_id=item.get("VpcId"),
            subnet_ids=sorted(subnet["SubnetIdentifier"] for subnet in item.get("Subnets", [])),
        )
        for item in found
        if question.may_be_ours(item["DBSubnetGroupName"]) or item["DBSubnetGroupArn"] in question.arns()
    ]


def parameter_groups(question: Question) -> list[dict[str, Any]]:
    found = pages(question.client, "describe_db_parameter_groups", "DBParameterGroups")
    return [
        _parameter_group(question, item)
        for item in found
        if question.may_be_ours(item["DBParameterGroupName"]) or item["DBParameterGroupArn"] in question.arns()
    ]


def _parameter_group(question: Question, item: dict[str, Any]) -> dict[str, Any]:
    name = item["DBParameterGroupName"]
    tags = _tags(question, item["DBParameterGroupArn"])
    parameters, apply_types = {}, {}
    if question.is_ours(tags):
        # All of them, not only those that somebody has set: one that was set back to its default has drifted as well.
        every = pages(question.client, "describe_db_parameters", "Parameters", DBParameterGroupName=name)
        parameters = {each["ParameterName"]: each["ParameterValue"] for each in every if "ParameterValue" in each}
        apply_types = {each["ParameterName"]: each.get("ApplyType", "dynamic") for each in every}
    return resource(
        name,
        name,
        None,
        tags,
        arn=item["DBParameterGroupArn"],
        family=item.get("DBParameterGroupFamily"),
        parameters=dict(sorted(parameters.items())),
        static=sorted(name for name, kind in apply_types.items() if kind == "static"),
    )


def event_subscriptions(question: Question) -> list[dict[str, Any]]:
    found = pages(question.client, "describe_event_subscriptions", "EventSubscriptionsList")
    return [
        resource(
            item["CustSubscriptionId"],
            item["CustSubscriptionId"],
            item.get("Status"),
            _tags(question, item["EventSubscriptionArn"]),
            arn=item["EventSubscriptionArn"],
        )
        for item in found
        if question.may_be_ours(item["CustSubscriptionId"])
    ]


def _tags(question: Question, arn: str) -> dict[str, str]:
    return tags_of(question.client.list_tags_for_resource(ResourceName=arn).get("TagList"))


def _instance(item: dict[str, Any]) -> dict[str, Any]:
    endpoint, certificate = item.get("Endpoint") or {}, item.get("CertificateDetails") or {}
    return resource(
        item["DBInstanceIdentifier"],
        item["DBInstanceIdentifier"],
        item.get("DBInstanceStatus"),
        tags_of(item.get("TagList")),
        arn=item.get("DBInstanceArn"),
        # There is none until the instance has been made.
        endpoint={"host": endpoint["Address"], "port": endpoint.get("Port")} if endpoint.get("Address") else None,
        engine=item.get("Engine"),
        engine_version=item.get("EngineVersion"),
        **{"class": item.get("DBInstanceClass")},
        allocated_storage=item.get("AllocatedStorage"),
        max_allocated_storage=item.get("MaxAllocatedStorage"),
        iops=item.get("Iops"),
        throughput=item.get("StorageThroughput"),
        multi_az=item.get("MultiAZ"),
        deletion_protection=item.get("DeletionProtection"),
        publicly_accessible=item.get("PubliclyAccessible"),
        storage_encrypted=item.get("StorageEncrypted"),
        kms_key_arn=item.get("KmsKeyId"),
        backup_retention_days=item.get("BackupRetentionPeriod"),
        parameter_groups=sorted(group["DBParameterGroupName"] for group in item.get("DBParameterGroups", [])),
        parameter_apply_status={
            group["DBParameterGroupName"]: group.get("ParameterApplyStatus", "")
            for group in item.get("DBParameterGroups", [])
        },
        ca=item.get("CACertificateIdentifier"),
        certificate_ends=_date(certificate.get("ValidTill")),
        security_group_ids=sorted(group["VpcSecurityGroupId"] for group in item.get("VpcSecurityGroups", [])),
    )
