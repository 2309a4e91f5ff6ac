# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is in an account, asked for kind by kind with plain boto3: the witness against aws_stack_info."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from .account import FLOW_LOGS_ROLE, IMAGING_ROLE, Account

TAG = "orthweb:stack"


class Thing(NamedTuple):
    kind: str
    id: str
    name: str
    stack: str  # value of the stack's tag, "" without it

    def __str__(self) -> str:
        return f"{self.kind} {self.name or self.id}"


def tags(raw: Any) -> dict[str, str]:
    """The tags of a resource, in whichever shape its service has them."""
    if isinstance(raw, dict):
        return raw
    return {each.get("Key", each.get("TagKey")): each.get("Value", each.get("TagValue")) for each in raw or []}


# kind: operation, key of the list, key of the id
EC2 = {
    "vpcs": ("describe_vpcs", "Vpcs", "VpcId"),
    "subnets": ("describe_subnets", "Subnets", "SubnetId"),
    "internet_gateways": ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    "nat_gateways": ("describe_nat_gateways", "NatGateways", "NatGatewayId"),
    "route_tables": ("describe_route_tables", "RouteTables", "RouteTableId"),
    "network_acls": ("describe_network_acls", "NetworkAcls", "NetworkAclId"),
    "vpc_endpoints": ("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    "security_groups": ("describe_security_groups", "SecurityGroups", "GroupId"),
    "key_pairs": ("describe_key_pairs", "KeyPairs", "KeyPairId"),
    "volumes": ("describe_volumes", "Volumes", "VolumeId"),
    "addresses": ("describe_addresses", "Addresses", "AllocationId"),
    "flow_logs": ("describe_flow_logs", "FlowLogs", "FlowLogId"),
    "network_interfaces": ("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
}
ELB = {
    "load_balancers": ("describe_load_balancers", "LoadBalancers", "LoadBalancer"),
    "target_groups": ("describe_target_groups", "TargetGroups", "TargetGroup"),
}
BACKUP = {"backup_vaults": "BackupVault", "backup_plans": "BackupPlan"}
BACKUP_ID = {"backup_vaults": "Name", "backup_plans": "Id"}
RDS = {
    "db_instances": ("describe_db_instances", "DBInstances", "DBInstance"),
    "db_subnet_groups": ("describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroup"),
    "db_parameter_groups": ("describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroup"),
    "db_snapshots": ("describe_db_snapshots", "DBSnapshots", "DBSnapshot"),
    "event_subscriptions": ("describe_event_subscriptions", "EventSubscriptionsList", "EventSubscription"),
}


def raw(account: Account) -> dict[str, list[Any]]:
    """What AWS says about everything that can be there, without what is gone already."""
    found = {kind: account.every("ec2", *how[:2]) for kind, how in EC2.items()}
    reservations = account.every("ec2", "describe_instances", "Reservations")
    instances = [each for reservation in reservations for each in reservation["Instances"]]
    found["instances"] = [each for each in instances if each["State"]["Name"] != "terminated"]
    found |= {kind: account.every("rds", *how[:2]) for kind, how in RDS.items()}
    found |= {kind: account.every("elbv2", *how[:2]) for kind, how in ELB.items()}
    kms = account.client("kms")
    keys = [kms.describe_key(KeyId=each["KeyId"])["KeyMetadata"] for each in account.every("kms", "list_keys", "Keys")]
    found["kms_keys"] = [key for key in keys if key["KeyManager"] == "CUSTOMER" and key["Enabled"]]
    found["secrets"] = account.every("secretsmanager", "list_secrets", "SecretList")
    found["iam_roles"] = account.every("iam", "list_roles", "Roles")
    found["instance_profiles"] = account.every("iam", "list_instance_profiles", "InstanceProfiles")
    found["iam_users"] = account.every("iam", "list_users", "Users")
    found["iam_policies"] = account.every("iam", "list_policies", "Policies", Scope="Local")
    found["alarms"] = account.every("cloudwatch", "describe_alarms", "MetricAlarms")
    found["topics"] = [
        account.client("sns").get_topic_attributes(TopicArn=each["TopicArn"])["Attributes"]
        for each in account.every("sns", "list_topics", "Topics")
    ]
    found["backup_vaults"] = account.every("backup", "list_backup_vaults", "BackupVaultList")
    found["backup_plans"] = account.every("backup", "list_backup_plans", "BackupPlansList")
    found["log_groups"] = account.every("logs", "describe_log_groups", "logGroups")
    found["buckets"] = account.client("s3").list_buckets()["Buckets"]
    return found


def things(account: Account, described: dict[str, list[Any]] | None = None) -> set[Thing]:
    """The same, with its tag, and without what AWS makes by itself together with something of ours.

    :param described: what :func:`raw` has just said
    """
    found: set[Thing] = set()
    for kind, items in (described or raw(account)).items():
        found |= {Thing(kind, *each) for each in named(account, kind, items)}
    return found


def named(account: Account, kind: str, items: list[Any]) -> Iterator[tuple[str, str, str]]:
    for item in items:
        if made_by_aws(kind, item):
            continue
        if kind in EC2 or kind == "instances":
            identity = item[EC2[kind][2] if kind in EC2 else "InstanceId"]
            own = tags(item.get("Tags", item.get("TagSet")))
            name = item.get("GroupName") or item.get("KeyName", "") if kind != "instances" else ""
            name = name or own.get("Name", "")
        elif kind in RDS:
            what = RDS[kind][2]
            key = "CustSubscriptionId" if kind == "event_subscriptions" else f"{what}Identifier"
            identity = name = item.get(key) or item[f"{what}Name"]
            own = tags(account.client("rds").list_tags_for_resource(ResourceName=item[f"{what}Arn"])["TagList"])
        elif kind in ELB:
            identity, name = item[f"{ELB[kind][2]}Arn"], item[f"{ELB[kind][2]}Name"]
            own = tags(account.client("elbv2").describe_tags(ResourceArns=[identity])["TagDescriptions"][0]["Tags"])
        elif kind == "kms_keys":
            identity = name = item["KeyId"]
            own = tags(account.client("kms").list_resource_tags(KeyId=identity)["Tags"])
        elif kind == "alarms":
            identity = name = item["AlarmName"]
            own = tags(account.client("cloudwatch").list_tags_for_resource(ResourceARN=item["AlarmArn"])["Tags"])
        elif kind == "topics":
            identity, name = item["TopicArn"], item["TopicArn"].rpartition(":")[2]
            own = tags(account.client("sns").list_tags_for_resource(ResourceArn=identity)["Tags"])
        elif kind == "secrets":
            identity, name, own = item["ARN"], item["Name"], tags(item.get("Tags"))
        elif kind == "iam_roles":
            identity, name = item["RoleId"], item["RoleName"]
            own = tags(account.client("iam").list_role_tags(RoleName=name)["Tags"])
        elif kind == "instance_profiles":
            identity, name = item["InstanceProfileId"], item["InstanceProfileName"]
            profile = account.client("iam").get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
            own = tags(profile.get("Tags"))
        elif kind == "log_groups":
            identity = name = item["logGroupName"]
            own = account.client("logs").list_tags_for_resource(resourceArn=item["arn"].removesuffix(":*"))["tags"]
        elif kind in BACKUP:
            arn, identity, name = (item[f"{BACKUP[kind]}{key}"] for key in ("Arn", BACKUP_ID[kind], "Name"))
            own = account.client("backup").list_tags(ResourceArn=arn)["Tags"]
        elif kind == "buckets":
            identity = name = item["Name"]
            own = {}
            with contextlib.suppress(ClientError):
                own = tags(account.client("s3").get_bucket_tagging(Bucket=name)["TagSet"])
        else:
            identity = name = json.dumps(item, default=str)
            own = tags(item.get("Tags"))
        yield identity, name, own.get(TAG, "")


def made_by_aws(kind: str, item: Any) -> bool:
    """What comes and goes with a VPC, an instance or a database by itself."""
    if kind == "route_tables":
        return any(each.get("Main") for each in item["Associations"])
    return (
        (kind == "network_acls" and item["IsDefault"])
        or (kind == "security_groups" and item["GroupName"] == "default")
        or (kind == "network_interfaces" and bool(item.get("Attachment", {}).get("InstanceId")))
        or (kind == "db_snapshots" and item["SnapshotType"] == "automated")
    )


def details(account: Account) -> dict[str, Any]:
    """Of one deployed stack, what the lists do not have."""
    iam, kms = account.client("iam"), account.client("kms")
    role = IMAGING_ROLE
    inline = {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in account.every("iam", "list_role_policies", "PolicyNames", RoleName=role)
    }
    attached = account.every("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=role)
    group = {"DBParameterGroupName": "orthweb-postgres17"}
    parameters = account.every("rds", "describe_db_parameters", "Parameters", **group)
    secrets = account.client("secretsmanager")
    key = kms.describe_key(KeyId="alias/orthweb")["KeyMetadata"]
    return {
        "balancer": balancer(account),
        "inline_policies": inline,
        "boundaries": {
            name: iam.get_role(RoleName=name)["Role"].get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
            for name in (role, FLOW_LOGS_ROLE)
        },
        "backup_rules": [
            rule
            for each in account.every("backup", "list_backup_plans", "BackupPlansList")
            for rule in account.client("backup").get_backup_plan(BackupPlanId=each["BackupPlanId"])["BackupPlan"][
                "Rules"
            ]
        ],
        "attached_policies": [each["PolicyArn"] for each in attached],
        "parameters": {each["ParameterName"]: each.get("ParameterValue") for each in parameters},
        "passwords": {
            name: json.loads(secrets.get_secret_value(SecretId=f"orthweb/{name}")["SecretString"])["password"]
            for name in ("database-master", "database-orthanc")
        },
        "key": key,
        "key_rotates": kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"],
    }


def balancer(account: Account) -> dict[str, Any]:
    """Of the one load balancer, if there is one, what the lists do not have."""
    elb = account.client("elbv2")
    groups = {
        each["TargetGroupArn"]: each["TargetGroupName"] for each in account.every("elbv2", *ELB["target_groups"][:2])
    }

    def attributes(kind: str, **of: str) -> dict[str, str]:
        return tags(getattr(elb, f"describe_{kind}_attributes")(**of)["Attributes"])

    found: dict[str, Any] = {}
    for one in account.every("elbv2", *ELB["load_balancers"][:2]):
        arn = one["LoadBalancerArn"]
        listeners = account.every("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=arn)
        found = {
            "attributes": attributes("load_balancer", LoadBalancerArn=arn),
            "forwards": {each["Port"]: groups[each["DefaultActions"][0]["TargetGroupArn"]] for each in listeners},
            "idle_seconds": {
                each["Port"]: attributes("listener", ListenerArn=each["ListenerArn"])["tcp.idle_timeout.seconds"]
                for each in listeners
            },
        }
    found["group_attributes"] = {name: attributes("target_group", TargetGroupArn=arn) for arn, name in groups.items()}
    health = {name: elb.describe_target_health(TargetGroupArn=arn) for arn, name in groups.items()}
    found["targets"] = {
        name: sorted(each["Target"]["Id"] for each in said["TargetHealthDescriptions"]) for name, said in health.items()
    }
    return found


def contents(account: Account) -> dict[str, str]:
    """Every resource as AWS describes it, to be compared before and after."""
    described = {}
    for kind, items in raw(account).items():
        for number, item in enumerate(sorted(json.dumps(each, default=str, sort_keys=True) for each in items)):
            described[f"{kind} {number}"] = item
    return described
