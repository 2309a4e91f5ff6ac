# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of AWS's answers. botocore's Stubber lets no question or answer pass that is not of AWS's own form."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws import (
    backup,
    by_name,
    ec2,
    elb,
    encrypted,
    failure,
    notices,
    rds,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.resource import Question
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.survey import Survey, SurveyError, survey
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.stub import Stubber

ARN = "arn:aws:{0}:eu-central-1:123456789012:{1}".format
OURS = [{"Key": "orthweb:stack", "Value": "orthweb"}, {"Key": "Name", "Value": "orthweb-1"}]
TAGS = {"Name": "orthweb-1", "orthweb:stack": "orthweb"}
THEIRS = [{"Key": "owner", "Value": "somebody"}]
LOGS = {"Effect": "Allow", "Principal": {"Service": "logs.x"}, "Action": "kms:*", "Resource": "*"}
# What CloudWatch Logs may use a key with.
KEY_POLICY = ("get_key_policy", {"KeyId": "1", "PolicyName": "default"}, {"Policy": json.dumps({"Statement": [LOGS]})})


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


def client_of(service: str) -> Any:
    return boto3.client(service, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")


def ask(
    answer: Callable[[Question], list[dict[str, Any]]],
    service: str,
    *talk: tuple[str, dict[str, Any], dict[str, Any] | str],
    names: Iterable[str] = (),
    arns: Iterable[str] = (),
) -> list[dict[str, Any]]:
    """``talk`` is what AWS is asked and answers, in this order; an answer that is a text is the code of an error."""
    client = client_of(service)
    with Stubber(client) as aws:
        for call, asked, answered in talk:
            if isinstance(answered, str):
                aws.add_client_error(call, answered, expected_params=asked)
            else:
                aws.add_response(call, answered, asked)
        found = answer(Question(client, "orthweb", tuple(names), lambda: list(arns)))
        aws.assert_no_pending_responses()
    return found


# --- Elastic Load Balancing


def test_a_load_balancer_is_ours_by_its_tag_and_only_what_may_be_is_asked_for_its_tags() -> None:
    arn, theirs = (ARN("elasticloadbalancing", f"loadbalancer/net/{name}/1") for name in ("orthweb", "orthweb-too"))
    item = {
        "LoadBalancerName": "orthweb",
        "LoadBalancerArn": arn,
        "DNSName": "orthweb-1.example",
        "Scheme": "internet-facing",
        "Type": "network",
        "VpcId": "vpc-1",
        "State": {"Code": "provisioning"},
    }
    other = {"LoadBalancerName": "else", "LoadBalancerArn": ARN("elasticloadbalancing", "loadbalancer/net/else/1")}
    found = ask(
        elb.load_balancers,
        "elbv2",
        (
            "describe_load_balancers",
            {},
            {"LoadBalancers": [item, other, {**item, "LoadBalancerName": "orthweb-too", "LoadBalancerArn": theirs}]},
        ),
        (
            "describe_tags",
            {"ResourceArns": [arn, theirs]},
            {"TagDescriptions": [{"ResourceArn": arn, "Tags": OURS}, {"ResourceArn": theirs, "Tags": THEIRS}]},
        ),
    )
    assert found[0] == {
        "id": arn,
        "name": "orthweb",
        "state": "provisioning",
        "tags": TAGS,
        "type": "network",
        "scheme": "internet-facing",
        "dns_name": "orthweb-1.example",
        "vpc_id": "vpc-1",
    }
    assert (found[1]["id"], found[1]["tags"]) == (theirs, {"owner": "somebody"})


def test_tags_of_many_target_groups_are_asked_for_in_twenties() -> None:
    arns = [ARN("elasticloadbalancing", f"targetgroup/orthweb-{port}/1") for port in range(21)]
    items = [
        {"TargetGroupName": f"orthweb-{port}", "TargetGroupArn": arn, "Port": port + 1} for port, arn in enumerate(arns)
    ]
    talk = [
        (
            "describe_tags",
            {"ResourceArns": some},
            {"TagDescriptions": [{"ResourceArn": one, "Tags": OURS} for one in some]},
        )
        for some in (arns[:20], arns[20:])
    ]
    found = ask(elb.target_groups, "elbv2", ("describe_target_groups", {}, {"TargetGroups": items}), *talk)
    assert [each["tags"] for each in found] == [TAGS] * 21
    assert ask(elb.target_groups, "elbv2", ("describe_target_groups", {}, {"TargetGroups": []})) == []


# --- RDS


def test_a_database_is_described_whole() -> None:
    item = {
        "DBInstanceIdentifier": "orthweb",
        "DBInstanceArn": ARN("rds", "db:orthweb"),
        "DBInstanceStatus": "Available",
        "TagList": OURS,
        "Endpoint": {"Address": "orthweb.example", "Port": 5432},
        "Engine": "postgres",
        "EngineVersion": "17.6",
        "DBInstanceClass": "db.t4g.small",
        "AllocatedStorage": 50,
        "MaxAllocatedStorage": 200,
        "MultiAZ": True,
        "DeletionProtection": True,
        "PubliclyAccessible": False,
        "StorageEncrypted": True,
        "KmsKeyId": ARN("kms", "key/1"),
        "BackupRetentionPeriod": 7,
        "Iops": 3000,
        "StorageThroughput": 125,
        "CACertificateIdentifier": "rds-ca-rsa2048-g1",
        "CertificateDetails": {"CAIdentifier": "rds-ca-rsa2048-g1", "ValidTill": datetime(2027, 3, 4, tzinfo=UTC)},
        "DBParameterGroups": [
            {"DBParameterGroupName": "b", "ParameterApplyStatus": "pending-reboot"},
            {"DBParameterGroupName": "a", "ParameterApplyStatus": "in-sync"},
        ],
        "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-2"}, {"VpcSecurityGroupId": "sg-1"}],
    }
    targets = [
        {"EngineVersion": "17.7", "IsMajorVersionUpgrade": False, "AutoUpgrade": True},
        {"EngineVersion": "18.1", "IsMajorVersionUpgrade": True, "AutoUpgrade": False},
    ]
    actions = [
        {"Action": "db-upgrade", "Description": "17.7", "AutoAppliedAfterDate": datetime(2026, 12, 6, tzinfo=UTC)},
        {"Action": "system-update", "ForcedApplyDate": datetime(2027, 1, 2, tzinfo=UTC)},
    ]
    pending = {"ResourceIdentifier": ARN("rds", "db:orthweb"), "PendingMaintenanceActionDetails": actions}
    theirs = {"DBInstanceIdentifier": "other", "DBInstanceStatus": "available", "TagList": THEIRS}
    talk = [
        ("describe_db_instances", {}, {"DBInstances": [item, theirs]}),
        (
            "describe_db_engine_versions",
            {"Engine": "postgres", "EngineVersion": "17.6", "IncludeAll": True},
            {"DBEngineVersions": [{"EngineVersion": "17.6", "ValidUpgradeTarget": targets}]},
        ),
        (
            "describe_pending_maintenance_actions",
            {"ResourceIdentifier": ARN("rds", "db:orthweb")},
            {"PendingMaintenanceActions": [pending]},
        ),
    ]
    assert ask(rds.instances, "rds", *talk)[:1] == [
        {
            "id": "orthweb",
            "name": "orthweb",
            "state": "available",
            "tags": TAGS,
            "arn": ARN("rds", "db:orthweb"),
            "endpoint": {"host": "orthweb.example", "port": 5432},
            "engine": "postgres",
            "engine_version": "17.6",
            "class": "db.t4g.small",
            "allocated_storage": 50,
            "max_allocated_storage": 200,
            "iops": 3000,
            "throughput": 125,
            "multi_az": True,
            "deletion_protection": True,
            "publicly_accessible": False,
            "storage_encrypted": True,
            "kms_key_arn": ARN("kms", "key/1"),
            "backup_retention_days": 7,
            "parameter_groups": ["a", "b"],
            "parameter_apply_status": {"b": "pending-reboot", "a": "in-sync"},
            "ca": "rds-ca-rsa2048-g1",
            "certificate_ends": "2027-03-04",
            "upgrades": [
                {"version": "17.7", "major": False, "automatic": True},
                {"version": "18.1", "major": True, "automatic": False},
            ],
            "maintenance": [
                {"action": "db-upgrade", "description": "17.7", "date": "2026-12-06", "forced_date": ""},
                {"action": "system-update", "description": "", "date": "", "forced_date": "2027-01-02"},
            ],
            "security_group_ids": ["sg-1", "sg-2"],
        }
    ]


def test_a_database_that_is_being_made_has_no_endpoint() -> None:
    item = {"DBInstanceIdentifier": "orthweb", "DBInstanceStatus": "creating"}
    for endpoint in ({}, {"Endpoint": {"Port": 5432}}):
        (found,) = ask(rds.instances, "rds", ("describe_db_instances", {}, {"DBInstances": [item | endpoint]}))
        assert (found["state"], found["endpoint"], found["tags"]) == ("creating", None, {})
        assert (found["parameter_groups"], found["security_group_ids"]) == ([], [])


def test_snapshots_that_somebody_made_are_described() -> None:
    item = {
        "DBSnapshotIdentifier": "orthweb-final",
        "DBSnapshotArn": ARN("rds", "snapshot:orthweb-final"),
        "DBInstanceIdentifier": "orthweb",
        "Status": "creating",
        "AllocatedStorage": 50,
        "KmsKeyId": ARN("kms", "key/1"),
        "TagList": OURS,
    }
    asked = ("describe_db_snapshots", {"SnapshotType": "manual"}, {"DBSnapshots": [item]})
    assert ask(rds.snapshots, "rds", asked) == [
        {
            "id": "orthweb-final",
            "name": "orthweb-final",
            "state": "creating",
            "tags": TAGS,
            "arn": ARN("rds", "snapshot:orthweb-final"),
            "db_instance": "orthweb",
            "allocated_storage": 50,
            "kms_key_arn": ARN("kms", "key/1"),
        }
    ]


def test_groups_that_may_be_ours_are_asked_for_their_tags_and_no_others() -> None:
    """A call each: an account may have hundreds."""
    names = ["orthweb", "orthweb-b", "orthwebber", "named", "renamed", "other"]
    arns = {name: ARN("rds", f"subgrp:{name}") for name in names}
    items = [{"DBSubnetGroupName": name, "DBSubnetGroupArn": arns[name]} for name in names]
    items[0] |= {
        "SubnetGroupStatus": "Complete",
        "DBSubnetGroupDescription": "Private subnets",
        "VpcId": "vpc-1",
        "Subnets": [{"SubnetIdentifier": "subnet-2"}, {"SubnetIdentifier": "subnet-1"}],
    }
    asked = [name for name in names if name not in ("orthwebber", "other")]
    found = ask(
        rds.subnet_groups,
        "rds",
        ("describe_db_subnet_groups", {}, {"DBSubnetGroups": items}),
        *(("list_tags_for_resource", {"ResourceName": arns[name]}, {"TagList": OURS}) for name in asked),
        names=["named"],
        arns=[arns["renamed"]],
    )
    assert [each["name"] for each in found] == asked
    assert found[0] == {
        "id": "orthweb",
        "name": "orthweb",
        "state": "complete",
        "tags": TAGS,
        "arn": arns["orthweb"],
        "description": "Private subnets",
        "vpc_id": "vpc-1",
        "subnet_ids": ["subnet-1", "subnet-2"],
    }
    assert (found[1]["state"], found[1]["vpc_id"], found[1]["subnet_ids"]) == ("available", None, [])


def test_the_parameters_of_our_groups_are_told_and_of_no_others() -> None:
    names = ["orthweb-17", "other", "renamed", "named"]
    arns = {name: ARN("rds", f"pg:{name}") for name in names}
    items = [
        {"DBParameterGroupName": name, "DBParameterGroupArn": arns[name], "DBParameterGroupFamily": "postgres17"}
        for name in names
    ]
    parameters = [
        {"ParameterName": "b", "ParameterValue": "2", "ApplyType": "static"},
        {"ParameterName": "unset"},
        {"ParameterName": "a", "ParameterValue": "1", "ApplyType": "dynamic"},
    ]

    def talk(name: str, tags: list[dict[str, str]]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
        told = ("describe_db_parameters", {"DBParameterGroupName": name}, {"Parameters": parameters})
        return [("list_tags_for_resource", {"ResourceName": arns[name]}, {"TagList": tags}), *([told] * (tags == OURS))]

    found = ask(
        rds.parameter_groups,
        "rds",
        ("describe_db_parameter_groups", {}, {"DBParameterGroups": items}),
        *talk("orthweb-17", OURS),
        *talk("renamed", OURS),
        *talk("named", THEIRS),
        names=["named"],
        arns=[arns["renamed"]],
    )
    assert found[0] == {
        "id": "orthweb-17",
        "name": "orthweb-17",
        "state": "available",
        "tags": TAGS,
        "arn": arns["orthweb-17"],
        "family": "postgres17",
        "parameters": {"a": "1", "b": "2"},
        "static": ["b"],
    }
    assert list(found[0]["parameters"]) == ["a", "b"]
    assert {each["name"]: each["parameters"] for each in found[1:]} == {"renamed": {"a": "1", "b": "2"}, "named": {}}


# --- EC2


@pytest.mark.parametrize("kind", ec2.KINDS)
def test_what_is_asked_of_a_kind_is_what_aws_has(kind: str) -> None:
    """botocore's model of the API is AWS's own."""
    how, model = ec2.KINDS[kind], client_of("ec2").meta.service_model
    operation = model.operation_model("".join(word.capitalize() for word in how.call.split("_")))
    assert how.filters in operation.input_shape.members
    item = operation.output_shape.members[how.answer].member.members
    state = [how.state] if isinstance(how.state, str) else []
    more = [key for key in how.more.values() if isinstance(key, str)]
    for key in filter(None, [how.id, how.name, *state, *more]):
        many, dot, one = key.partition(".")
        assert many in item, key
        assert not dot or one in item[many].member.members, key


def test_a_kind_is_asked_for_by_tag_and_by_name_and_told_once() -> None:
    def item(number: int, tags: list[dict[str, str]]) -> dict[str, Any]:
        return {"GroupId": f"sg-{number}", "GroupName": f"group-{number}", "VpcId": "vpc-1", "Tags": tags}

    ours, theirs = item(1, OURS), item(2, THEIRS)
    by_tag = {"Filters": [{"Name": "tag:orthweb:stack", "Values": ["orthweb"]}]}
    by_group_name = {"Filters": [{"Name": "group-name", "Values": ["group-1", "group-2"]}]}
    found = ask(
        ec2.ask(ec2.KINDS["security_groups"]),
        "ec2",
        ("describe_security_groups", by_tag, {"SecurityGroups": [ours]}),
        ("describe_security_groups", by_group_name, {"SecurityGroups": [ours, theirs]}),
        names=["group-1", "group-2"],
    )
    assert found == [
        {"id": "sg-1", "name": "group-1", "state": "available", "tags": TAGS, "vpc_id": "vpc-1"},
        {"id": "sg-2", "name": "group-2", "state": "available", "tags": {"owner": "somebody"}, "vpc_id": "vpc-1"},
    ]
    unnamed = ("describe_security_groups", by_tag, {"SecurityGroups": []})
    assert ask(ec2.ask(ec2.KINDS["security_groups"]), "ec2", unnamed) == []


def test_routes_that_aws_adds_itself_are_not_told() -> None:
    routes = [
        {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"},
        {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1"},
        {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "blackhole"},
        {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"},
    ]
    table = {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Tags": OURS, "Routes": routes}
    asked = {"Filters": [{"Name": "tag:orthweb:stack", "Values": ["orthweb"]}]}
    told = ("describe_route_tables", asked, {"RouteTables": [table]})
    [found] = ask(ec2.ask(ec2.KINDS["route_tables"]), "ec2", told)
    assert found["routes"] == {"0.0.0.0/0": "nat-1", "::/0": "eigw-1"}


def test_dns_and_default_group_are_told_of_our_vpcs_only() -> None:
    ours = {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "State": "available", "Tags": OURS}
    theirs = {"VpcId": "vpc-2", "CidrBlock": "10.1.0.0/16", "State": "available", "Tags": THEIRS}
    by_tag = {"Filters": [{"Name": "tag:orthweb:stack", "Values": ["orthweb"]}]}
    by_name = {"Filters": [{"Name": "tag:Name", "Values": ["orthweb"]}]}
    of_group = {"Filters": [{"Name": "vpc-id", "Values": ["vpc-1"]}, {"Name": "group-name", "Values": ["default"]}]}
    rules = [{"IpProtocol": "-1"}]
    group = {"GroupId": "sg-1", "GroupName": "default", "IpPermissions": rules, "IpPermissionsEgress": rules}
    dns = [("enableDnsSupport", "EnableDnsSupport", True), ("enableDnsHostnames", "EnableDnsHostnames", False)]
    found = ask(
        ec2.vpcs,
        "ec2",
        ("describe_vpcs", by_tag, {"Vpcs": [ours]}),
        ("describe_vpcs", by_name, {"Vpcs": [theirs]}),
        *(
            ("describe_vpc_attribute", {"VpcId": "vpc-1", "Attribute": asked}, {told: {"Value": value}})
            for asked, told, value in dns
        ),
        ("describe_security_groups", of_group, {"SecurityGroups": [group]}),
        names=["orthweb"],
    )
    rest = {"dns_support": True, "dns_hostnames": False, "default_group_rules": 2}
    assert found == [
        {"id": "vpc-1", "name": "orthweb-1", "state": "available", "tags": TAGS, "cidr": "10.0.0.0/16", **rest},
        {"id": "vpc-2", "name": "", "state": "available", "tags": {"owner": "somebody"}, "cidr": "10.1.0.0/16"},
    ]


def test_what_is_in_a_list_of_a_resource_is_told_in_order() -> None:
    volumes = [
        {
            "VolumeId": "vol-1",
            "State": "in-use",
            "Size": 8,
            "Encrypted": True,
            "Tags": OURS,
            "Attachments": [{"InstanceId": "i-2"}, {"Device": "/dev/sdf"}, {"InstanceId": "i-1"}],
        },
        {"VolumeId": "vol-2"},
    ]
    asked = {"Filters": [{"Name": "tag:orthweb:stack", "Values": ["orthweb"]}]}
    found = ask(ec2.ask(ec2.KINDS["volumes"]), "ec2", ("describe_volumes", asked, {"Volumes": volumes}))
    rest = {"size_gb": 8, "encrypted": True, "instance_ids": ["i-1", "i-2"]}
    empty = {"size_gb": None, "encrypted": None, "instance_ids": []}
    assert found == [
        {"id": "vol-1", "name": "orthweb-1", "state": "in-use", "tags": TAGS, **rest},
        {"id": "vol-2", "name": "", "state": "available", "tags": {}, **empty},
    ]


def test_a_host_is_described_whole_and_as_far_as_it_goes() -> None:
    always = {
        "InstanceId": "i-1",
        "State": {"Name": "running"},
        "ImageId": "ami-1",
        "InstanceType": "t3.medium",
        "Placement": {"AvailabilityZone": "eu-central-1a"},
    }
    running = always | {
        "Tags": OURS,
        "SubnetId": "subnet-1",
        "SecurityGroups": [{"GroupId": "sg-2"}, {"GroupId": "sg-1"}],
        "KeyName": "key",
        "IamInstanceProfile": {"Arn": "arn:aws:iam::123456789012:instance-profile/profile"},
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 1},
        "PrivateIpAddress": "10.0.0.1",
        "PublicIpAddress": "203.0.113.1",
        "PrivateDnsName": "private.example",
        "PublicDnsName": "public.example",
    }
    gone = always | {"InstanceId": "i-2", "State": {"Name": "terminated"}, "PrivateDnsName": "", "PublicDnsName": ""}
    asked = {"Filters": [{"Name": "tag:orthweb:stack", "Values": ["orthweb"]}]}
    reservations = [{"ReservationId": "r-1", "Instances": [running]}, {"ReservationId": "r-2", "Instances": [gone]}]
    found = ask(ec2.instances, "ec2", ("describe_instances", asked, {"Reservations": reservations}))
    same = {"image_id": "ami-1", "type": "t3.medium", "zone": "eu-central-1a"}
    assert found == [
        {
            "id": "i-1",
            "name": "orthweb-1",
            "state": "running",
            "tags": TAGS,
            **same,
            "subnet_id": "subnet-1",
            "security_group_ids": ["sg-1", "sg-2"],
            "key_name": "key",
            "instance_profile": "profile",
            "metadata_tokens": "required",
            "metadata_endpoint": "enabled",
            "metadata_hop_limit": 1,
            "private_address": "10.0.0.1",
            "public_address": "203.0.113.1",
            "private_dns_name": "private.example",
            "public_dns_name": "public.example",
        },
        {
            "id": "i-2",
            "name": "",
            "state": "terminated",
            "tags": {},
            **same,
            "subnet_id": None,
            "security_group_ids": [],
            "key_name": None,
            "instance_profile": None,
            "metadata_tokens": None,
            "metadata_endpoint": None,
            "metadata_hop_limit": None,
            "private_address": None,
            "public_address": None,
            "private_dns_name": None,
            "public_dns_name": None,
        },
    ]


# --- by name


def test_a_key_has_the_name_of_ours_among_its_aliases() -> None:
    key = ARN("kms", "key/1")
    talk = [
        ("describe_key", {"KeyId": "alias/gone"}, "NotFoundException"),
        (
            "describe_key",
            {"KeyId": "alias/orthweb"},
            {"KeyMetadata": {"KeyId": "1", "Arn": key, "KeyState": "PendingDeletion"}},
        ),
        (
            "list_aliases",
            {"KeyId": "1"},
            {"Aliases": [{"AliasName": name} for name in ("alias/z", "alias/orthweb", "alias/a")]},
        ),
        ("list_resource_tags", {"KeyId": "1"}, {"Tags": [{"TagKey": "orthweb:stack", "TagValue": "orthweb"}]}),
        KEY_POLICY,
        (
            "describe_key",
            {"KeyId": ARN("kms", "key/2")},
            {"KeyMetadata": {"KeyId": "2", "Arn": ARN("kms", "key/2"), "KeyState": "Enabled"}},
        ),
        ("list_aliases", {"KeyId": "2"}, {"Aliases": []}),
        ("list_resource_tags", {"KeyId": "2"}, {"Tags": []}),
    ]
    names, arns = ["alias/gone", "alias/orthweb"], [ARN("kms", "key/2"), ARN("rds", "db:orthweb")]
    undescribed = {"description": None, "rotates": None}
    assert ask(by_name.kms_keys, "kms", *talk, names=names, arns=arns) == [
        {
            "id": "1",
            "name": "alias/orthweb",
            "state": "pending_deletion",
            "tags": {"orthweb:stack": "orthweb"},
            "arn": key,
            "aliases": ["alias/orthweb", "alias/a", "alias/z"],
            "services": ["logs.x"],
            "accounts": [],
            **undescribed,
        },
        {
            "id": "2",
            "name": "",
            "state": "enabled",
            "tags": {},
            "arn": ARN("kms", "key/2"),
            "aliases": [],
            "services": [],
            "accounts": [],
            **undescribed,
        },
    ]


def test_it_is_told_of_a_key_of_ours_whether_it_rotates() -> None:
    metadata = {"KeyId": "1", "Arn": ARN("kms", "key/1"), "KeyState": "Enabled", "Description": "d"}
    talk = [
        ("describe_key", {"KeyId": "alias/orthweb"}, {"KeyMetadata": metadata}),
        ("list_aliases", {"KeyId": "1"}, {"Aliases": [{"AliasName": "alias/orthweb"}]}),
        ("list_resource_tags", {"KeyId": "1"}, {"Tags": [{"TagKey": "orthweb:stack", "TagValue": "orthweb"}]}),
        KEY_POLICY,
        ("get_key_rotation_status", {"KeyId": "1"}, {"KeyRotationEnabled": False}),
    ]
    [found] = ask(by_name.kms_keys, "kms", *talk, names=["alias/orthweb"])
    assert (found["description"], found["rotates"]) == ("d", False)


def test_secrets_are_listed_by_tag_and_looked_up_by_name() -> None:
    asked = {
        "IncludePlannedDeletion": True,
        "Filters": [{"Key": "tag-key", "Values": ["orthweb:stack"]}, {"Key": "tag-value", "Values": ["orthweb"]}],
    }
    master, other = ARN("secretsmanager", "secret:orthweb/master"), ARN("secretsmanager", "secret:other")
    found = ask(
        by_name.secrets,
        "secretsmanager",
        ("list_secrets", asked, {"SecretList": [{"Name": "listed"}, {"Name": "gone"}]}),
        (
            "describe_secret",
            {"SecretId": "orthweb/master"},
            {"ARN": master, "Name": "orthweb/master", "Tags": OURS, "KmsKeyId": "key", "DeletedDate": 1},
        ),
        ("describe_secret", {"SecretId": "listed"}, {"ARN": other, "Name": "listed"}),
        ("describe_secret", {"SecretId": "gone"}, "ResourceNotFoundException"),
        names=["orthweb/master"],
    )
    assert found == [
        {
            "id": master,
            "name": "orthweb/master",
            "state": "pending_deletion",
            "tags": TAGS,
            "arn": master,
            "kms_key_id": "key",
        },
        {"id": other, "name": "listed", "state": "available", "tags": {}, "arn": other, "kms_key_id": None},
    ]


def test_what_iam_has_of_our_names_is_described() -> None:
    made = {"Path": "/", "CreateDate": 1, "Tags": OURS}
    role = made | {"RoleName": "orthweb-1", "RoleId": "AROA-0123456789AB", "Arn": "arn:aws:iam::123456789012:role/o"}
    profile = made | {
        "InstanceProfileName": "orthweb-1",
        "InstanceProfileId": "AIPA-0123456789AB",
        "Arn": "arn:aws:iam::123456789012:instance-profile/o",
    }
    second = role | {"RoleName": "another"}
    base = {"name": "orthweb-1", "state": "available", "tags": TAGS}
    theirs = role | {"RoleName": "theirs", "Tags": THEIRS}
    attached = {"AttachedPolicies": [{"PolicyName": "a", "PolicyArn": "arn:aws:iam::aws:policy/a"}]}
    one = {"RoleName": "orthweb-1"}
    policy = one | {"PolicyName": "read"}
    described = {"id": role["RoleId"], "arn": role["Arn"], "description": None, "trust_policy": None}
    described["permissions_boundary"] = None
    boundary = {
        "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
        "PermissionsBoundaryArn": "arn:aws:iam::1:policy/b",
    }
    assert ask(
        by_name.iam_roles,
        "iam",
        ("get_role", {"RoleName": "gone"}, "NoSuchEntity"),
        ("get_role", one, {"Role": role | {"Description": "d", "PermissionsBoundary": boundary}}),
        ("list_attached_role_policies", one, attached),
        ("list_role_policies", one, {"PolicyNames": ["read"]}),
        ("get_role_policy", policy, policy | {"PolicyDocument": "as AWS has it"}),
        ("get_role", {"RoleName": "theirs"}, {"Role": theirs}),
        names=["gone", "orthweb-1", "theirs"],
    ) == [
        base
        | described
        | {
            "description": "d",
            "permissions_boundary": "arn:aws:iam::1:policy/b",
            "managed_policies": ["arn:aws:iam::aws:policy/a"],
            "policies": {"read": "as AWS has it"},
        },
        base | described | {"name": "theirs", "tags": {"owner": "somebody"}},
    ]
    assert ask(
        by_name.instance_profiles,
        "iam",
        ("get_instance_profile", {"InstanceProfileName": "gone"}, "NoSuchEntity"),
        (
            "get_instance_profile",
            {"InstanceProfileName": "orthweb-1"},
            {"InstanceProfile": profile | {"Roles": [role, second]}},
        ),
        names=["gone", "orthweb-1"],
    ) == [base | {"id": profile["InstanceProfileId"], "arn": profile["Arn"], "roles": ["another", "orthweb-1"]}]


def test_log_groups_are_ours_by_name_by_folder_or_by_the_index() -> None:
    def group(name: str) -> dict[str, Any]:
        return {"logGroupName": name, "arn": ARN("logs", f"log-group:{name}:*"), "retentionInDays": 30}

    def tags(name: str, answer: dict[str, Any] | str) -> tuple[str, dict[str, Any], dict[str, Any] | str]:
        return "list_tags_for_resource", {"resourceArn": ARN("logs", f"log-group:{name}")}, answer

    found = ask(
        by_name.log_groups,
        "logs",
        (
            "describe_log_groups",
            {"logGroupNamePrefix": "/aws/rds/orthweb"},
            {"logGroups": [group("/aws/rds/orthweb"), group("/aws/rds/orthweb-2")]},
        ),
        tags("/aws/rds/orthweb", {"tags": {"orthweb:stack": "orthweb"}}),
        ("describe_log_groups", {"logGroupNamePrefix": "/moved"}, {"logGroups": [group("/moved")]}),
        tags("/moved", {}),
        (
            "describe_log_groups",
            {"logGroupNamePrefix": "/orthweb/orthweb/"},
            {"logGroups": [group("/orthweb/orthweb/a"), group("/orthweb/orthweb/b")]},
        ),
        tags("/orthweb/orthweb/a", "ResourceNotFoundException"),
        tags("/orthweb/orthweb/b", {"tags": {}}),
        (
            "describe_log_groups",
            {"logGroupNamePrefix": "/orthweb/orthweb/b"},
            {"logGroups": [group("/orthweb/orthweb/b")]},
        ),
        names=["/orthweb/orthweb/b", "/aws/rds/orthweb"],
        arns=[ARN("logs", "log-group:/moved:*"), ARN("kms", "key/1")],
    )
    assert found[0] == {
        "id": "/aws/rds/orthweb",
        "name": "/aws/rds/orthweb",
        "state": "available",
        "tags": {"orthweb:stack": "orthweb"},
        "arn": ARN("logs", "log-group:/aws/rds/orthweb"),
        "retention_days": 30,
        "kms_key_arn": None,
    }
    assert [each["name"] for each in found] == ["/aws/rds/orthweb", "/moved", "/orthweb/orthweb/b"]


def test_alarms_are_those_whose_names_begin_as_ours() -> None:
    arn = ARN("cloudwatch", "alarm:orthweb/database-storage")
    [found] = ask(
        notices.alarms,
        "cloudwatch",
        (
            "describe_alarms",
            {"AlarmNamePrefix": "orthweb/", "AlarmTypes": ["MetricAlarm"]},
            {"MetricAlarms": [{"AlarmName": "orthweb/database-storage", "AlarmArn": arn, "StateValue": "ALARM"}]},
        ),
        ("list_tags_for_resource", {"ResourceARN": arn}, {"Tags": OURS}),
    )
    assert (found["name"], found["state"], found["tags"]) == ("orthweb/database-storage", "alarm", TAGS)


def test_topics_are_looked_at_if_they_may_be_ours() -> None:
    topics = [{"TopicArn": ARN("sns", name)} for name in ("payroll", "orthweb-alarms")]
    tagged = ("list_tags_for_resource", {"ResourceArn": ARN("sns", "orthweb-alarms")}, {"Tags": THEIRS})
    [found] = ask(notices.topics, "sns", ("list_topics", {}, {"Topics": topics}), tagged)
    assert (found["id"], found["name"]) == (ARN("sns", "orthweb-alarms"), "orthweb-alarms")
    assert found["tags"] == {"owner": "somebody"}


def test_subscriptions_to_events_are_looked_at_if_they_may_be_ours() -> None:
    listed = [
        {"CustSubscriptionId": name, "EventSubscriptionArn": ARN("rds", f"es:{name}"), "Status": "active"}
        for name in ("payroll", "orthweb-alarms")
    ]
    [found] = ask(
        rds.event_subscriptions,
        "rds",
        ("describe_event_subscriptions", {}, {"EventSubscriptionsList": listed}),
        ("list_tags_for_resource", {"ResourceName": ARN("rds", "es:orthweb-alarms")}, {"TagList": OURS}),
    )
    assert (found["id"], found["state"], found["tags"]) == ("orthweb-alarms", "active", TAGS)


def test_buckets_of_ours_of_somebody_else_and_of_nobody() -> None:
    found = ask(
        by_name.buckets,
        "s3",
        ("list_buckets", {}, {"Buckets": [{"Name": "mine"}, {"Name": "plain"}]}),
        ("head_bucket", {"Bucket": "closed"}, "AccessDenied"),
        ("head_bucket", {"Bucket": "elsewhere"}, "301"),
        ("head_bucket", {"Bucket": "free"}, "404"),
        ("get_bucket_tagging", {"Bucket": "mine"}, {"TagSet": OURS}),
        ("get_bucket_tagging", {"Bucket": "plain"}, "NoSuchTagSet"),
        ("head_bucket", {"Bucket": "theirs"}, "403"),
        names=["theirs", "free", "elsewhere", "mine", "plain", "closed"],
    )
    empty: dict[str, Any] = {name: {} for name in ("closed", "elsewhere", "plain", "theirs")}
    assert {each["name"]: each["tags"] for each in found} == {**empty, "mine": TAGS}
    assert found[2] == {"id": "mine", "name": "mine", "state": "available", "tags": TAGS}
    indexed = ("get_bucket_tagging", {"Bucket": "moved"}, {"TagSet": OURS})
    (moved,) = ask(by_name.buckets, "s3", indexed, arns=["arn:aws:s3:::moved", ARN("kms", "key/1")])
    assert (moved["name"], moved["tags"]) == ("moved", TAGS)


@pytest.mark.parametrize(
    ("answer", "service", "call", "asked", "name"),
    [
        (by_name.kms_keys, "kms", "describe_key", {"KeyId": "alias/x"}, "alias/x"),
        (by_name.iam_roles, "iam", "get_role", {"RoleName": "x"}, "x"),
        (by_name.instance_profiles, "iam", "get_instance_profile", {"InstanceProfileName": "x"}, "x"),
    ],
)
def test_an_error_that_is_not_about_the_name_is_passed_on(
    answer: Any, service: str, call: str, asked: dict[str, Any], name: str
) -> None:
    with pytest.raises(ClientError, match="Throttling"):
        ask(answer, service, (call, asked, "Throttling"), names=[name])


# --- errors


def error_of(code: str, call: str = "DescribeVpcs") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "it says"}}, call)


@pytest.mark.parametrize(
    ("service", "error", "said"),
    [
        ("ec2", error_of("ExpiredToken"), "does not accept these credentials (An error occurred (ExpiredToken)"),
        ("ec2", error_of("UnauthorizedOperation"), "Doing needs permissions that these credentials lack: ec2:Describe"),
        ("s3", error_of("AccessDenied", "HeadBucket"), "lack: s3:ListBucket."),
        ("s3", error_of("AccessDenied", "ListBuckets"), "lack: s3:ListAllMyBuckets."),
        ("resourcegroupstaggingapi", error_of("AccessDenied", "GetResources"), "lack: tag:GetResources."),
        ("resourcegroupstaggingapi", error_of("Oops"), "Doing: tag answered: An error occurred (Oops)"),
        ("rds", error_of("Oops"), "Doing: rds answered: An error occurred (Oops)"),
        (
            "rds",
            EndpointConnectionError(endpoint_url="https://rds.example"),
            'Doing: Could not connect to the endpoint URL: "https://rds.example" Check the network',
        ),
        ("rds", OSError("no AWS at all"), "Doing: rds answered: no AWS at all"),
    ],
)
def test_an_error_is_said_with_what_to_do(service: str, error: Exception, said: str) -> None:
    assert said in failure.sentence(service, error, "Doing")


def test_missing_permissions_are_said_once_and_in_order() -> None:
    assert "lack: a:B, c:D. Add" in failure.denied_sentence(["c:D", "a:B", "c:D"], "Doing")
    assert failure.denied_action("ec2", error_of("Oops")) is failure.denied_action("ec2", OSError()) is None


# --- the whole account


class Account:
    """A client of every service. It answers as told, by call; an exception is raised, a list is one answer a time."""

    def __init__(self, **told: Any) -> None:
        self.told = told
        self.asked: dict[str, dict[str, Any]] = {}
        self.made_in: list[threading.Thread] = []

    def can_paginate(self, _call: str) -> bool:
        return False

    def __getattr__(self, call: str) -> Callable[..., Any]:
        def answer(**asked: Any) -> Any:
            self.asked[call] = asked
            told = self.told.get(call, {})
            told = told.pop(0) if isinstance(told, list) else told
            if isinstance(told, Exception):
                raise told
            return told

        return answer

    def survey(self, names: dict[str, list[str]] | None = None) -> Survey:
        def client(_service: str) -> Account:
            self.made_in.append(threading.current_thread())
            return self

        return survey(client, "orthweb", names or {})


def database(name: str, state: str, tags: list[dict[str, str]]) -> dict[str, Any]:
    return {"DBInstanceIdentifier": name, "DBInstanceStatus": state, "TagList": tags}


def test_what_is_going_and_what_holds_our_names_still() -> None:
    account = Account(
        describe_db_instances={
            "DBInstances": [
                database("d", "deleting", THEIRS),
                database("c", "deleted", THEIRS),
                database("b", "available", OURS),
                database("a", "available", OURS),
                database("e", "deleting", OURS),
                database("f", "available", THEIRS),
                database("g", "available", THEIRS),
            ]
        },
        describe_db_snapshots={"DBSnapshots": [{"DBSnapshotIdentifier": "a", "TagList": []}]},
    )
    found = account.survey({"db_instances": ["g", "a", "c", "d", "e"], "db_snapshots": ["a"]})
    assert [each["id"] for each in found.resources["db_instances"]] == ["a", "b"]
    assert [each["id"] for each in found.going["db_instances"]] == ["e"]
    assert found.foreign == [
        {"kind": "db_instances", "id": "d", "name": "d"},
        {"kind": "db_instances", "id": "g", "name": "g"},
        {"kind": "db_snapshots", "id": "a", "name": "a"},
    ]


def test_a_backup_vault_has_its_lock_and_its_number_of_backups() -> None:
    vault = {"BackupVaultName": "orthweb-backup", "BackupVaultArn": ARN("backup", "backup-vault:orthweb-backup")}
    lock = {"Locked": True, "MinRetentionDays": 7, "MaxRetentionDays": 90, "NumberOfRecoveryPoints": 3}
    others = {"BackupVaultName": "Default", "BackupVaultArn": ARN("backup", "backup-vault:Default")}
    assert ask(
        backup.vaults,
        "backup",
        ("list_backup_vaults", {}, {"BackupVaultList": [vault | lock, others]}),
        ("list_tags", {"ResourceArn": vault["BackupVaultArn"]}, {"Tags": {"orthweb:stack": "orthweb"}}),
    ) == [
        {
            "id": "orthweb-backup",
            "name": "orthweb-backup",
            "state": "available",
            "tags": {"orthweb:stack": "orthweb"},
            "arn": vault["BackupVaultArn"],
            "recovery_points": 3,
            "locked": True,
            "min_days": 7,
            "max_days": 90,
        }
    ]


def test_a_backup_plan_of_ours_has_its_rules_and_what_it_backs_up() -> None:
    plan = {
        "BackupPlanId": "p-1",
        "BackupPlanName": "orthweb-backup",
        "BackupPlanArn": ARN("backup", "backup-plan:p-1"),
    }
    theirs = {key: value.replace("p-1", "p-2") for key, value in plan.items()}
    other, to = ARN("backup", "backup-vault:copies"), ARN("rds", "db:orthweb")
    rule = {
        "RuleName": "database",
        "TargetBackupVaultName": "orthweb-backup",
        "ScheduleExpression": "cron(0 6 ? * * *)",
        "Lifecycle": {"DeleteAfterDays": 35},
        "CopyActions": [{"DestinationBackupVaultArn": other, "Lifecycle": {"DeleteAfterDays": 14}}],
    }
    selection = {"SelectionName": "database", "IamRoleArn": ARN("iam", "role/backup"), "Resources": [to]}
    found = ask(
        backup.plans,
        "backup",
        ("list_backup_plans", {}, {"BackupPlansList": [plan, theirs]}),
        ("list_tags", {"ResourceArn": plan["BackupPlanArn"]}, {"Tags": {"orthweb:stack": "orthweb"}}),
        ("get_backup_plan", {"BackupPlanId": "p-1"}, {"BackupPlan": {"BackupPlanName": "x", "Rules": [rule]}}),
        ("list_backup_selections", {"BackupPlanId": "p-1"}, {"BackupSelectionsList": [{"SelectionId": "s-1"}]}),
        ("get_backup_selection", {"BackupPlanId": "p-1", "SelectionId": "s-1"}, {"BackupSelection": selection}),
        ("list_tags", {"ResourceArn": theirs["BackupPlanArn"]}, {"Tags": {}}),
    )
    assert [(each["id"], each["rules"], each["selections"]) for each in found] == [
        (
            "p-1",
            [
                {
                    "name": "database",
                    "vault": "orthweb-backup",
                    "schedule": "cron(0 6 ? * * *)",
                    "days": 35,
                    "copies": [{"vault_arn": other, "days": 14}],
                }
            ],
            [{"name": "database", "role_arn": ARN("iam", "role/backup"), "resources": [to]}],
        ),
        ("p-2", [], []),
    ]


def test_what_of_rds_outlives_the_stack_and_needs_a_key() -> None:
    key = ARN("kms", "key/1")
    copies = [{"DBSnapshotIdentifier": "copy", "KmsKeyId": key}, {"DBSnapshotIdentifier": "clear"}]
    backups = [
        {"DbiResourceId": "db-GONE", "KmsKeyId": key, "Status": "retained"},
        {"DbiResourceId": "db-THERE", "KmsKeyId": key, "Status": "active"},
    ]
    assert ask(
        encrypted.databases,
        "rds",
        ("describe_db_snapshots", {"SnapshotType": "awsbackup"}, {"DBSnapshots": copies}),
        ("describe_db_instance_automated_backups", {}, {"DBInstanceAutomatedBackups": backups}),
    ) == [
        {"kind": "db_snapshots", "id": "copy", "key_arn": key},
        {"kind": "db_snapshots", "id": "clear", "key_arn": None},
        {"kind": "db_automated_backups", "id": "db-GONE", "key_arn": key},
    ]


def test_what_could_not_be_read_without_the_key() -> None:
    key, other = ARN("kms", "key/1"), ARN("kms", "key/2")
    account = Account(
        describe_key={"KeyMetadata": {"KeyId": "1", "Arn": key, "KeyState": "Enabled"}},
        list_resource_tags={"Tags": [{"TagKey": "orthweb:stack", "TagValue": "orthweb"}]},
        get_key_rotation_status={"KeyRotationEnabled": True},
        get_key_policy={"Policy": json.dumps({"Statement": [LOGS]})},
        describe_log_groups={
            "logGroups": [
                {"logGroupName": "/orthweb/orthweb/b", "arn": ARN("logs", "log-group:b"), "kmsKeyId": key},
                {"logGroupName": "/orthweb/orthweb/c", "arn": ARN("logs", "log-group:c"), "kmsKeyId": other},
                {"logGroupName": "/orthweb/orthweb/a", "arn": ARN("logs", "log-group:a"), "kmsKeyId": key},
            ]
        },
        describe_db_instances={
            "DBInstances": [
                database("orthweb", "available", OURS) | {"KmsKeyId": key},
                database("restored", "available", THEIRS) | {"KmsKeyId": key},
            ]
        },
        describe_snapshots={
            "Snapshots": [
                {"SnapshotId": "snap-2", "KmsKeyId": key},
                {"SnapshotId": "snap-3", "KmsKeyId": other},
                {"SnapshotId": "snap-1", "KmsKeyId": key},
            ]
        },
        describe_volumes={
            "Volumes": [
                {"VolumeId": "vol-1", "KmsKeyId": key, "Tags": OURS},
                {"VolumeId": "vol-2", "KmsKeyId": key},
            ]
        },
    )
    (found,) = account.survey({"kms_keys": ["alias/orthweb"]}).resources["kms_keys"]
    assert found["needed_by"] == [
        {"kind": "db_instances", "id": "restored"},
        {"kind": "snapshots", "id": "snap-1"},
        {"kind": "snapshots", "id": "snap-2"},
        {"kind": "volumes", "id": "vol-2"},
    ]
    assert found["log_groups"] == ["/orthweb/orthweb/a", "/orthweb/orthweb/b"]


def test_one_client_a_service_and_all_of_them_in_one_thread() -> None:
    account = Account()
    account.survey()
    assert account.made_in == [threading.current_thread()] * 12


def test_the_index_is_asked_for_the_kinds_that_need_it_and_no_others() -> None:
    account = Account()
    account.survey()
    assert account.asked["get_resources"] == {
        "TagFilters": [{"Key": "orthweb:stack", "Values": ["orthweb"]}],
        "ResourceTypeFilters": ["kms", "logs", "rds", "s3"],
    }


def test_what_cannot_be_looked_for_is_named() -> None:
    oops, denied = error_of("Oops", "DescribeDBSnapshots"), error_of("AccessDenied", "DescribeDBInstances")
    with pytest.raises(SurveyError, match=r"^Looking for db snapshots of stack orthweb: rds answered: .*\(Oops\)"):
        Account(describe_db_snapshots=oops, describe_db_instances=denied).survey()
    with pytest.raises(SurveyError, match=r"^Looking for the tag index of stack orthweb: tag answered: .*\(Oops\)"):
        Account(get_resources=error_of("Oops", "GetResources")).survey()


def test_all_permissions_that_are_missing_are_named_at_once() -> None:
    account = Account(
        get_resources=error_of("AccessDeniedException", "GetResources"),
        describe_vpcs=error_of("UnauthorizedOperation", "DescribeVpcs"),
    )
    said = r"^Looking for the resources of stack orthweb needs .* lack: ec2:DescribeVpcs, tag:GetResources\. "
    with pytest.raises(SurveyError, match=said):
        account.survey()


def test_a_fault_of_our_own_is_not_taken_for_one_of_aws() -> None:
    with pytest.raises(LookupError, match="something"):
        Account(describe_vpcs=LookupError("something")).survey()


def test_aws_is_asked_again_where_it_has_no_time() -> None:
    tables = [error_of("ThrottlingException"), {"RouteTables": [{"RouteTableId": "rtb-1", "Tags": OURS}]}]
    found = Account(describe_route_tables=tables).survey()
    assert [each["id"] for each in found.resources["route_tables"]] == ["rtb-1"]
