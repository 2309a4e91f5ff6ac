# SPDX-License-Identifier: GPL-3.0-or-later
"""Which AWS resource a task in check mode is about, and whether it would be made, changed or removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAKE = "+"
CHANGE = "~"
REMOVE = "-"
REMOVING_STATES = frozenset({"absent", "terminated", "deleted"})
MASKED = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
# What a module answers where it cannot know the ID yet.
PLACEHOLDER = "xxxxxxxx"


@dataclass(frozen=True)
class Kind:
    """How a module's resource is shown. Keys may have dots: ``tags.Name``.

    :ivar name: the argument that names it
    :ivar found: the result that is there only if the resource is; empty where the module makes things only
    :ivar shows: further arguments worth reading; none that could be a secret
    """

    label: str
    name: str
    found: str
    shows: tuple[str, ...] = ()


KINDS = {
    "amazon.aws.backup_plan": Kind("backup plan", "backup_plan_name", "version_id", ("rules",)),
    "amazon.aws.backup_selection": Kind("backup selection", "backup_plan_name", "current_selection", ("resources",)),
    "amazon.aws.backup_vault": Kind(
        "backup vault", "backup_vault_name", "vault.backup_vault_arn", ("encryption_key_arn",)
    ),
    "amazon.aws.cloudwatchlogs_log_group": Kind("log group", "log_group_name", "log_groups", ("retention",)),
    "amazon.aws.ec2_eip": Kind("elastic IP", "tags.Name", "allocation_id", ("device_id",)),
    "amazon.aws.ec2_instance": Kind("instance", "name", "instances", ("instance_type", "image_id", "vpc_subnet_id")),
    "amazon.aws.ec2_key": Kind("key pair", "name", "key.id"),
    "amazon.aws.ec2_security_group": Kind("security group", "name", "group_id", ("rules",)),
    "amazon.aws.ec2_tag": Kind("tags of", "resource", "tags", ("tags",)),
    "amazon.aws.ec2_vpc_endpoint": Kind(
        "VPC endpoint", "tags.Name", "result.vpc_endpoint_id", ("service", "vpc_endpoint_type")
    ),
    "amazon.aws.ec2_vpc_igw": Kind("internet gateway", "tags.Name", "gateway_id"),
    "amazon.aws.ec2_vpc_nacl": Kind("network ACL", "name", "nacl_id", ("ingress", "egress")),
    "amazon.aws.ec2_vpc_net": Kind("VPC", "name", "vpc.id", ("cidr_block",)),
    "amazon.aws.ec2_vpc_route_table": Kind("route table", "tags.Name", "route_table.id", ("routes",)),
    "amazon.aws.ec2_vpc_subnet": Kind("subnet", "tags.Name", "subnet.id", ("cidr", "az", "map_public")),
    "amazon.aws.iam_instance_profile": Kind("instance profile", "name", "iam_instance_profile.arn", ("role",)),
    "amazon.aws.iam_policy": Kind("IAM policy", "policy_name", "policy_names", ("iam_name",)),
    "amazon.aws.iam_role": Kind("IAM role", "name", "iam_role.arn", ("managed_policies",)),
    "amazon.aws.kms_key": Kind("KMS key", "alias", "key_id", ("enable_key_rotation",)),
    "amazon.aws.rds_instance": Kind(
        "RDS instance",
        "db_instance_identifier",
        "db_instance_identifier",
        ("engine", "engine_version", "db_instance_class", "allocated_storage", "multi_az", "deletion_protection"),
    ),
    "amazon.aws.rds_instance_param_group": Kind(
        "RDS parameter group", "name", "db_parameter_group_arn", ("engine", "params")
    ),
    "amazon.aws.rds_subnet_group": Kind("RDS subnet group", "name", "subnet_group", ("subnets",)),
    "amazon.aws.s3_bucket": Kind("bucket", "name", "name", ("versioning", "encryption")),
    "cellcs.orthweb.aws_alarms": Kind("alarms", "stack", "diff.before.alarms", ("addresses", "events")),
    "cellcs.orthweb.aws_controller_state": Kind("secret", "name", "before.version"),
    "cellcs.orthweb.aws_database_storage": Kind(
        "storage of the RDS instance", "name", "options", ("storage_gb", "limit_gb")
    ),
    "cellcs.orthweb.aws_generated_secrets": Kind("secrets", "name", ""),
    # They are there, so it is a change.
    "cellcs.orthweb.cloudwatchlogs_log_group_key": Kind(
        "key of log groups", "kms_key_id", "log_groups", ("log_group_names",)
    ),
    "cellcs.orthweb.ec2_vpc_flow_log": Kind(
        "flow log", "tags.Name", "diff.before.log_group_name", ("vpc_id", "log_group_name", "traffic_type")
    ),
    "cellcs.orthweb.network_load_balancer": Kind("load balancer", "name", "arn", ("listeners", "health_check")),
    "cellcs.orthweb.rds_backup_replication": Kind(
        "copies of backups of", "source_db_instance_arn", "arn", ("region", "backup_retention_period")
    ),
    "cellcs.orthweb.rds_instance_restore": Kind(
        "RDS instance",
        "db_instance_identifier",
        "arn",
        ("db_snapshot_identifier", "source_db_instance_identifier", "restore_time", "db_instance_class", "multi_az"),
    ),
    "community.aws.secretsmanager_secret": Kind("secret", "name", "secret.arn"),
}
# The same arguments by other names, where core does not tell a module's own view of them.
ALIASES = {
    "db_instance_identifier": ("id", "instance_id"),
    "db_instance_class": ("class", "instance_type"),
    "name": ("group_name", "role_name", "key_name"),
}


@dataclass(frozen=True)
class Resource:
    sign: str
    label: str
    name: str
    shows: dict[str, Any]


def is_aws(action: str) -> bool:
    return action in KINDS or action.startswith(("amazon.aws.", "community.aws."))


def read(action: str, arguments: Mapping[str, Any], result: Mapping[str, Any], task_name: str) -> Resource:
    """What a changed result in check mode is about.

    :param arguments: the task's arguments, as the module understood them if core tells
    """
    kind = KINDS.get(action) or Kind(action.rpartition(".")[2].replace("_", " "), "name", "")
    if result.get("censored"):
        return Resource(MAKE if action in KINDS and not kind.found else CHANGE, kind.label, f"({task_name})", {})
    name = _at(arguments, kind.name) or _at(arguments, "tags.Name") or f"({task_name})"
    shows = {key: value for key in kind.shows if (value := _at(arguments, key)) not in (None, "", [], {}, MASKED)}
    return Resource(_sign(action, kind, arguments, result), kind.label, str(name), shows)


def made_before(result: Mapping[str, Any]) -> bool:
    """Whether a module that returns a diff says that there was something before. True if it does not say."""
    diffs = result.get("diff")
    diff = diffs[0] if isinstance(diffs, list) and diffs else diffs
    if not isinstance(diff, Mapping) or "before" not in diff:
        return True
    before = diff["before"]
    return before.get("state") != "absent" and bool(before) if isinstance(before, Mapping) else bool(before)


def _sign(action: str, kind: Kind, arguments: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    if arguments.get("state") in REMOVING_STATES:
        return REMOVE
    if action not in KINDS:
        return CHANGE if made_before(result) else MAKE
    found = _at(result, kind.found) if kind.found else None
    return CHANGE if found and not str(found).endswith(PLACEHOLDER) else MAKE


def _at(values: Mapping[str, Any], path: str) -> Any:
    """What is under a path with dots; None if there is nothing."""
    first, dot, rest = path.partition(".")
    value = values.get(first)
    if value is None and not dot:
        value = next((values[other] for other in ALIASES.get(path, ()) if values.get(other) is not None), None)
    if not dot:
        return value
    return _at(value, rest) if isinstance(value, Mapping) else None
