# SPDX-License-Identifier: GPL-3.0-or-later
"""files/iam-policy.json has what was really called, in the life of a stack and in its variants, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.aws.account import Account, OpenAccount
from support.aws.disturb import WORLD
from support.aws.life import RANGES, Lifecycle, Step
from support.checkout import ROOT
from tools import iam_policy

# What a lifecycle does not have: the settings that call what nothing else does, and a change of what can be changed.
VARIANT = {
    "orthweb_instance_count": 2,
    "orthweb_connect_by": "systems_manager",
    "aws_network_interface_endpoints": ["secretsmanager"],
}
CHANGED = {
    **VARIANT,
    "orthweb_connect_by": "public",
    "orthweb_tags": {"team": "imaging"},
    "orthweb_portal_ranges": ["203.0.113.0/25"],
    "aws_database_backup_days": 14,
    "aws_database_user": "archive",
}


def change_by_hand(account: Account) -> None:
    """What a lifecycle does not change by hand, and a deployment fixes."""
    ec2, iam, kms, rds = (account.client(service) for service in ("ec2", "iam", "kms", "rds"))
    ours = [{"Name": "tag:orthweb:stack", "Values": ["orthweb"]}]
    groups = account.every("ec2", "describe_security_groups", "SecurityGroups", Filters=ours)
    ids = {each["GroupName"]: each["GroupId"] for each in groups}
    stray = [{"IpProtocol": "tcp", "FromPort": 23, "ToPort": 23, "IpRanges": WORLD}]
    ec2.authorize_security_group_egress(GroupId=ids["orthweb-database"], IpPermissions=stray)
    tables = account.every("ec2", "describe_route_tables", "RouteTables", Filters=ours)
    associations = [each for table in tables for each in table["Associations"] if each.get("SubnetId")]
    ec2.disassociate_route_table(AssociationId=associations[0]["RouteTableAssociationId"])
    subnets = [each["SubnetId"] for each in account.every("ec2", "describe_subnets", "Subnets", Filters=ours)]
    ec2.modify_subnet_attribute(SubnetId=subnets[0], MapPublicIpOnLaunch={"Value": True})
    hosts = account.every("ec2", "describe_instances", "Reservations", Filters=ours)
    ec2.stop_instances(InstanceIds=[hosts[0]["Instances"][0]["InstanceId"]])
    addresses = account.every("ec2", "describe_addresses", "Addresses", Filters=ours)
    ec2.disassociate_address(AssociationId=addresses[0]["AssociationId"])
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.update_assume_role_policy(RoleName="orthweb-imaging", PolicyDocument=document)
    iam.update_role(RoleName="orthweb-imaging", Description="by hand")
    key = kms.describe_key(KeyId="alias/orthweb")["KeyMetadata"]["KeyId"]
    kms.update_key_description(KeyId=key, Description="by hand")
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    rds.modify_db_subnet_group(DBSubnetGroupName="orthweb", DBSubnetGroupDescription="by hand", SubnetIds=subnets[:2])
    account.client("secretsmanager").delete_secret(SecretId="orthweb/database-orthanc", RecoveryWindowInDays=7)


def stray_volume(account: Account) -> None:
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "orthweb:stack", "Value": "orthweb"}]}]
    account.client("ec2").create_volume(Size=1, AvailabilityZone="us-east-1a", TagSpecifications=tags)


@pytest.fixture(scope="module")
def calls(lifecycle: Lifecycle, open_account: OpenAccount) -> list[dict[str, Any]]:
    """Of the playbooks alone: what the tests themselves ask for is in the server's log too, and no part of it."""
    assert lifecycle.emptied
    runs = [step.run for step in lifecycle.done.values() if isinstance(step, Step)]
    account = open_account("variants")
    runs.append(account.play("provision", **(RANGES | VARIANT)).ok())
    change_by_hand(account)
    runs.append(account.play("provision", **(RANGES | CHANGED)).ok())
    stray_volume(account)
    runs.append(account.teardown(orthweb_rds_final_snapshot=False).ok())
    return [call for run in runs for call in run.calls]


@pytest.fixture(scope="module")
def policy() -> dict[str, Any]:
    return json.loads(iam_policy.POLICY.read_text())


def test_whatever_is_called_is_allowed(calls: list[dict[str, Any]], policy: dict[str, Any]) -> None:
    missing = iam_policy.actions_of(calls) - iam_policy.actions_in(policy)
    assert not missing, f"files/iam-policy.json does not allow {sorted(missing)}"


def test_nothing_is_allowed_that_is_not_called(calls: list[dict[str, Any]], policy: dict[str, Any]) -> None:
    needless = iam_policy.actions_in(policy) - iam_policy.actions_of(calls)
    assert not needless, f"files/iam-policy.json allows, and nothing needs, {sorted(needless)}"


def test_it_is_what_the_script_writes(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    log = tmp_path / "calls.jsonl"
    log.write_text("".join(json.dumps(call) + "\n" for call in calls))
    assert script(log) == iam_policy.POLICY.read_text()


def test_it_can_be_written_again_without_a_log() -> None:
    assert script() == iam_policy.POLICY.read_text()


def test_it_fits_into_a_managed_policy() -> None:
    assert len("".join(iam_policy.POLICY.read_text().split())) <= 6144


def test_it_can_be_made_for_one_stack(policy: dict[str, Any]) -> None:
    """Names and tags that were any are that stack's then; the rest stays."""
    narrow = json.loads(script("--stack", "clinic"))
    assert iam_policy.actions_in(narrow) == iam_policy.actions_in(policy)
    for wide, one in zip(policy["Statement"], narrow["Statement"], strict=True):
        assert one["Resource"] == [
            each.replace("role/*", "role/clinic")
            .replace("instance-profile/*", "instance-profile/clinic")
            .replace("/*/flow-logs", "/clinic/flow-logs")
            .replace("secret:*", "secret:clinic")
            .replace("db:*", "db:clinic")
            .replace("subgrp:*", "subgrp:clinic")
            .replace("pg:*", "pg:clinic")
            .replace("snapshot:*", "snapshot:clinic")
            for each in wide["Resource"]
        ]
        if "Null" in wide.get("Condition", {}):
            assert one["Condition"] == {"StringEquals": {"aws:ResourceTag/orthweb:stack": "clinic"}}


@pytest.mark.parametrize(
    ("action", "limit"),
    [
        ("ec2:TerminateInstances", "aws:ResourceTag/orthweb:stack"),
        ("rds:DeleteDBInstance", "aws:ResourceTag/orthweb:stack"),
        ("kms:ScheduleKeyDeletion", "aws:ResourceTag/orthweb:stack"),
        ("iam:PassRole", "iam:PassedToService"),
        ("iam:AttachRolePolicy", "iam:PolicyARN"),
        ("kms:CreateGrant", "kms:GrantIsForAWSResource"),
        ("kms:Decrypt", "kms:ViaService"),
    ],
)
def test_what_is_dangerous_is_limited(policy: dict[str, Any], action: str, limit: str) -> None:
    statements = [each for each in policy["Statement"] if action in each["Action"]]
    assert statements
    assert all(limit in json.dumps(each.get("Condition", {})) for each in statements)


@pytest.mark.parametrize("service", ["iam", "secretsmanager", "rds", "logs"])
def test_writing_is_limited_by_name(policy: dict[str, Any], service: str) -> None:
    for statement in policy["Statement"]:
        for action in statement["Action"]:
            if action.startswith(f"{service}:") and not iam_policy.re.match(iam_policy.READS, action):
                assert statement["Resource"] != ["*"] or "Condition" in statement, action


def test_a_call_that_no_table_has_is_an_error() -> None:
    with pytest.raises(ValueError, match="no rule says on what dynamodb:PutItem"):
        iam_policy.policy(iam_policy.actions_of([{"service": "dynamodb", "action": "PutItem"}]))
    with pytest.raises(ValueError, match="the table S3 does not have 'PUT /bucket/key'"):
        iam_policy.actions_of([{"service": "s3", "action": "PUT /bucket/key"}])


def script(*arguments: str | Path) -> str:
    command = [sys.executable, str(ROOT / "tools/iam_policy.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
