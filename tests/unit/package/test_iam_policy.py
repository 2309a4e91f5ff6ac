# SPDX-License-Identifier: GPL-3.0-or-later
"""What the deployer's policy refuses, whatever a deployer does first. What it allows is seen in tests/aws."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from support.aws.evaluator import Request, allowed
from support.aws.permissions import policies
from support.aws.requests import has_key, kinds, privileges
from support.checkout import ROOT
from tools import iam_policy

ACCOUNT = "123456789012"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
EVERYTHING = [
    "--systems-manager",
    "--backup",
    "--interface-endpoints",
    "--buckets",
    "scratch",
    "--vpc",
    "vpc-0123456789abcdef0",
]

OURS, THEIRS = {"aws:ResourceTag/orthweb:stack": "clinic"}, {"aws:ResourceTag/orthweb:stack": "ward"}
TAGGING = {"aws:RequestTag/orthweb:stack": "clinic", "aws:TagKeys": "orthweb:stack"}


def ec2(what: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:ec2:eu-central-1:{account}:{what}"


def rds(what: str) -> str:
    return f"arn:aws:rds:eu-central-1:{ACCOUNT}:{what}"


def role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


BACKUP_VAULT = f"arn:aws:backup:eu-central-1:{ACCOUNT}:backup-vault:clinic-backup"
KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/theirs"
SECRET = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:payroll-AbCdEf"
LOGS = f"arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:/payroll"

# By what it would do: action, resource, and what the conditions are told.
ATTACKS: dict[str, tuple[str, str, dict[str, str]]] = {
    # A key
    "delete somebody's key": ("kms:ScheduleKeyDeletion", KEY, {"kms:ResourceAliases": "alias/payroll"}),
    "delete it after tagging it": ("kms:ScheduleKeyDeletion", KEY, {"kms:ResourceAliases": "alias/payroll", **OURS}),
    "delete a nameless key after tagging it": ("kms:ScheduleKeyDeletion", KEY, OURS),
    "tag somebody's key": ("kms:TagResource", KEY, {"kms:ResourceAliases": "alias/payroll", **TAGGING}),
    "give it our alias": ("kms:CreateAlias", KEY, {"kms:ResourceAliases": "alias/payroll"}),
    "give a key another alias": ("kms:CreateAlias", KEY.replace("key/theirs", "alias/payroll"), {}),
    "move our alias": ("kms:UpdateAlias", KEY, {"kms:ResourceAliases": "alias/payroll"}),
    "open a key to oneself": ("kms:PutKeyPolicy", KEY, {"kms:ResourceAliases": "alias/clinic", **OURS}),
    "switch a key on": ("kms:EnableKey", KEY, {"kms:ResourceAliases": "alias/payroll", **OURS}),
    "decrypt with it": ("kms:Decrypt", KEY, {"kms:ResourceAliases": "alias/payroll"}),
    "lend it": ("kms:CreateGrant", KEY, {"kms:ResourceAliases": "alias/payroll", "kms:GrantIsForAWSResource": "false"}),
    # A database
    "delete a database": ("rds:DeleteDBInstance", rds("db:payroll"), {}),
    "delete a database after tagging it": ("rds:DeleteDBInstance", rds("db:payroll"), OURS),
    "delete one with a similar name": ("rds:DeleteDBInstance", rds("db:clinic-2"), OURS),
    "tag a database": ("rds:AddTagsToResource", rds("db:payroll"), TAGGING),
    "tag a snapshot": ("rds:AddTagsToResource", rds("snapshot:payroll"), TAGGING),
    "change a database's password": ("rds:ModifyDBInstance", rds("db:payroll"), OURS),
    "change somebody's parameters": ("rds:ModifyDBParameterGroup", rds("pg:payroll"), OURS),
    "delete our own snapshot": ("rds:DeleteDBSnapshot", rds("snapshot:clinic-final-20261122221231"), OURS),
    "copy out somebody's data": ("rds:CreateDBSnapshot", rds("db:payroll"), OURS),
    # A secret
    "read a secret": ("secretsmanager:GetSecretValue", SECRET, {}),
    "read a secret after tagging it": ("secretsmanager:GetSecretValue", SECRET, OURS),
    "tag a secret": ("secretsmanager:TagResource", SECRET, TAGGING),
    "delete a secret": ("secretsmanager:DeleteSecret", SECRET, OURS),
    "read one with a similar name": ("secretsmanager:GetSecretValue", SECRET.replace("payroll", "clinic-2/x"), {}),
    # EC2
    "tag a host": ("ec2:CreateTags", ec2("instance/i-1"), TAGGING),
    "tag a host of another stack": ("ec2:CreateTags", ec2("instance/i-1"), {**TAGGING, **THEIRS}),
    "tag a VPC": ("ec2:CreateTags", ec2("vpc/vpc-1"), TAGGING),
    "tag a volume": ("ec2:CreateTags", ec2("volume/vol-1"), TAGGING),
    "make for another stack": (
        "ec2:CreateTags",
        ec2("instance/i-1"),
        {"aws:RequestTag/orthweb:stack": "ward", "ec2:CreateAction": "RunInstances"},
    ),
    "hand ours to another stack": (
        "ec2:CreateTags",
        ec2("instance/i-1"),
        {"aws:RequestTag/orthweb:stack": "ward", **OURS},
    ),
    "terminate a host": ("ec2:TerminateInstances", ec2("instance/i-1"), {}),
    "terminate one of another stack": ("ec2:TerminateInstances", ec2("instance/i-1"), THEIRS),
    "delete a volume": ("ec2:DeleteVolume", ec2("volume/vol-1"), {}),
    "delete a VPC": ("ec2:DeleteVpc", ec2("vpc/vpc-1"), {}),
    "open a group to the world": ("ec2:AuthorizeSecurityGroupIngress", ec2("security-group/sg-1"), {}),
    "reroute a network": ("ec2:ReplaceRoute", ec2("route-table/rtb-1"), {}),
    "take an address": ("ec2:ReleaseAddress", ec2("elastic-ip/eipalloc-1"), {}),
    "give a host our role": ("ec2:AssociateIamInstanceProfile", ec2("instance/i-1"), {}),
    "read a host's metadata without a token": ("ec2:ModifyInstanceMetadataOptions", ec2("instance/i-1"), {}),
    "read the disk in an image": ("ec2:RunInstances", ec2("image/ami-1", ""), {"ec2:Owner": ACCOUNT}),
    "read the disk in a snapshot": ("ec2:RunInstances", ec2("snapshot/snap-1", ""), {"ec2:Owner": ACCOUNT}),
    "start a host among others": (
        "ec2:RunInstances",
        ec2("subnet/subnet-1"),
        {"ec2:Vpc": ec2("vpc/vpc-theirs"), **THEIRS},
    ),
    "start a host in a group of others": ("ec2:RunInstances", ec2("security-group/sg-1"), {}),
    "get into a host": ("ssm:StartSession", ec2("instance/i-1"), {}),
    "run a command as root": ("ssm:SendCommand", ec2("instance/i-1"), OURS),
    # Roles
    "tag a role": ("iam:TagRole", role("admin"), TAGGING),
    "widen a role": ("iam:PutRolePolicy", role("admin"), OURS),
    "open a role to oneself": ("iam:UpdateAssumeRolePolicy", role("admin"), OURS),
    "make an administrator": ("iam:CreateRole", role("admin"), TAGGING),
    "make a role an administrator": (
        "iam:AttachRolePolicy",
        role("clinic-imaging"),
        {"iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"},
    ),
    "hand out somebody's role": ("iam:PassRole", role("admin"), {"iam:PassedToService": "ec2.amazonaws.com"}),
    "hand ours to code": ("iam:PassRole", role("clinic-imaging"), {"iam:PassedToService": "lambda.amazonaws.com"}),
    "hand out a role of another stack": (
        "iam:PassRole",
        role("clinic-ct_eu-central-1-imaging"),
        {"iam:PassedToService": "ec2.amazonaws.com"},
    ),
    "widen a role of another stack": ("iam:PutRolePolicy", role("clinic-ct_eu-central-1-imaging"), OURS),
    "widen one of an earlier version": ("iam:PutRolePolicy", role("clinic-ct-imaging"), OURS),
    "make a user": ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/me", TAGGING),
    # Alarms
    "silence an alarm": ("cloudwatch:DeleteAlarms", f"arn:aws:cloudwatch:eu-central-1:{ACCOUNT}:alarm:payroll", OURS),
    "change another stack's alarm": (
        "cloudwatch:PutMetricAlarm",
        f"arn:aws:cloudwatch:eu-central-1:{ACCOUNT}:alarm:clinic-2/database-storage",
        TAGGING,
    ),
    "listen to a topic": ("sns:Subscribe", f"arn:aws:sns:eu-central-1:{ACCOUNT}:payroll", {}),
    "end somebody's subscription": ("sns:Unsubscribe", "*", {}),
    "stop RDS's events": ("rds:DeleteEventSubscription", rds("es:payroll"), OURS),
    # AWS Backup
    "delete another stack's plan": (
        "backup:DeleteBackupPlan",
        f"arn:aws:backup:eu-central-1:{ACCOUNT}:backup-plan:1",
        THEIRS,
    ),
    "make another stack's plan ours": (
        "backup:TagResource",
        f"arn:aws:backup:eu-central-1:{ACCOUNT}:backup-plan:1",
        {**TAGGING, **THEIRS},
    ),
    "delete another stack's vault": (
        "backup:DeleteBackupVault",
        f"arn:aws:backup:eu-central-1:{ACCOUNT}:backup-vault:clinic-2-backup",
        OURS,
    ),
    "delete a backup": ("backup:DeleteRecoveryPoint", rds("snapshot:awsbackup:job-1"), OURS),
    "unlock our vault": ("backup:DeleteBackupVaultLockConfiguration", BACKUP_VAULT, OURS),
    "start a host with the role of AWS Backup": (
        "iam:PassRole",
        role("clinic_eu-central-1-backup"),
        {"iam:PassedToService": "ec2.amazonaws.com"},
    ),
    # Logs and buckets
    "delete logs": ("logs:DeleteLogGroup", LOGS, {}),
    "delete logs after tagging them": ("logs:DeleteLogGroup", LOGS, OURS),
    "tag logs": ("logs:TagResource", LOGS, TAGGING),
    "delete a bucket": ("s3:DeleteBucket", "arn:aws:s3:::payroll", {}),
    "delete what is in a bucket": ("s3:DeleteObject", "arn:aws:s3:::payroll/one", {}),
    "tag a bucket": ("s3:PutBucketTagging", "arn:aws:s3:::payroll", TAGGING),
}
WITHOUT_BOUNDARY: dict[str, tuple[str, str, dict[str, str]]] = {
    "make a role without": ("iam:CreateRole", role("clinic-imaging"), TAGGING),
    "make a role with another": ("iam:CreateRole", role("clinic-imaging"), {"iam:PermissionsBoundary": role("wide")}),
    "widen a role that lost it": ("iam:PutRolePolicy", role("clinic-imaging"), OURS),
    "exchange it": (
        "iam:PutRolePermissionsBoundary",
        role("clinic-imaging"),
        {"iam:PermissionsBoundary": role("wide")},
    ),
    "remove it": ("iam:DeleteRolePermissionsBoundary", role("clinic-imaging"), {"iam:PermissionsBoundary": BOUNDARY}),
    "attach without it": (
        "iam:AttachRolePolicy",
        role("clinic-imaging"),
        {"iam:PolicyARN": "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"},
    ),
}


def ask(action: str, resource: str, context: dict[str, str]) -> Request:
    return Request(action, resource, {key: [value] for key, value in context.items()})


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_refuses(attack: str) -> None:
    assert not allowed(policies("clinic", *EVERYTHING), ask(*ATTACKS[attack]))


@pytest.mark.parametrize("attack", WITHOUT_BOUNDARY)
def test_with_a_boundary_it_refuses(attack: str) -> None:
    assert not allowed(policies("clinic", *EVERYTHING, "--boundary", BOUNDARY), ask(*WITHOUT_BOUNDARY[attack]))


def test_with_the_boundary_roles_can_be_made() -> None:
    """And a role that lost it gets it back."""
    with_it = policies("clinic", "--systems-manager", "--boundary", BOUNDARY)
    bounded = {"iam:PermissionsBoundary": BOUNDARY}
    for action in ("CreateRole", "PutRolePolicy", "PutRolePermissionsBoundary"):
        assert allowed(with_it, ask(f"iam:{action}", role("clinic-imaging"), bounded)), action
    policy = {"iam:PolicyARN": "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"}
    assert allowed(with_it, ask("iam:AttachRolePolicy", role("clinic-imaging"), bounded | policy))


# docs/aws.md says so.
REMAINS: dict[str, tuple[str, str, dict[str, str]]] = {
    "name a nameless key": ("kms:CreateAlias", KEY, {}),
    "tag a nameless key": ("kms:TagResource", KEY, TAGGING),
    "rotate a key": ("kms:EnableKeyRotation", KEY, {"kms:ResourceAliases": "alias/payroll"}),
    "close a group": ("ec2:RevokeSecurityGroupIngress", ec2("security-group/sg-1"), {}),
    "start a host with an interface that is there": ("ec2:RunInstances", ec2("network-interface/eni-1"), {}),
    "let the hosts do anything": ("iam:PutRolePolicy", role("clinic_eu-central-1-imaging"), {}),
    "let older hosts do anything": ("iam:PutRolePolicy", role("clinic-imaging"), {}),
}


def test_plans_without_our_tag_can_be_tagged_as_the_guide_says() -> None:
    request = ask("backup:TagResource", f"arn:aws:backup:eu-central-1:{ACCOUNT}:backup-plan:1", TAGGING)
    assert allowed(policies("clinic", "--backup"), request)
    assert not allowed(policies("clinic"), request)


@pytest.mark.parametrize("abuse", REMAINS)
def test_what_remains_is_what_the_guide_says(abuse: str) -> None:
    assert allowed(policies("clinic"), ask(*REMAINS[abuse]))


@pytest.mark.parametrize(
    ("option", "action", "resource"),
    [
        (["--systems-manager"], "ssmmessages:OpenDataChannel", f"arn:aws:ssm:eu-central-1:{ACCOUNT}:session/me-1"),
        (["--backup"], "backup:CreateBackupVault", BACKUP_VAULT),
        (["--interface-endpoints"], "route53:AssociateVPCWithHostedZone", "*"),
        (["--buckets", "scratch", "other"], "s3:DeleteObject", "arn:aws:s3:::other/one"),
        (["--vpc", "vpc-01234567"], "ec2:CreateSecurityGroup", ec2("vpc/vpc-01234567")),
        (["--image-owner", ACCOUNT], "ec2:RunInstances", ec2("image/ami-1", "")),
    ],
)
def test_choices_are_off_unless_asked(option: list[str], action: str, resource: str) -> None:
    request = ask(action, resource, {"aws:userid": "me", "ec2:Owner": ACCOUNT})
    assert not allowed(policies("clinic"), request)
    assert allowed(policies("clinic", *option), request)


# --- As IAM understands it


def statements() -> list[dict[str, Any]]:
    return [
        each for one in policies("clinic", *EVERYTHING, "--boundary", BOUNDARY) for each in one["Statement"]
    ]  # fmt: skip


def actions_of(statement: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    for each in statement["Action"]:
        service, name = each.split(":")
        matching = [known for known in privileges(service) if re.fullmatch(name.replace("*", ".*"), known)]
        assert matching, f"IAM has no action {each}"
        found += [(service, known) for known in matching]
    return found


def test_iam_knows_each_action_and_gives_it_the_keys_of_its_conditions() -> None:
    """A key that an action does not have would be a condition that never holds."""
    for statement in statements():
        for service, action in actions_of(statement):
            for keys in statement.get("Condition", {}).values():
                for key in keys:
                    name = key.partition("/")[0]
                    known = [kind for kind in kinds(service, action) if has_key(service, action, kind, name)]
                    assert known, f"{statement['Sid']}: {service}:{action} has no {key}"


def test_each_resource_is_one_that_an_action_of_its_statement_has() -> None:
    for statement in statements():
        for resource in statement["Resource"]:
            found = [kind for service, action in actions_of(statement) for kind in kinds(service, action) if kind]
            if resource == "*":
                continue
            of_one_kind = {"backup-vault": "backupVault", "backup-plan": "backupPlan"}.get(resource.split(":")[5])
            of_one_kind = of_one_kind or {"s3": "bucket", "sns": "topic"}.get(resource.split(":")[2])
            kind = of_one_kind or re.split("[:/]", resource.split(":", 5)[5])[0]
            # Those of load balancers have the balancer's type in their names: listener/net.
            known = {each.lower().partition("/")[0] for each in found}
            assert kind.lower() in known, f"{statement['Sid']}: {resource}"


# What it is for is in a permission of another service.
WITHOUT_RESOURCE = {"backup-storage:MountCapsule", "route53:AssociateVPCWithHostedZone"}


def test_no_statement_allows_to_change_anything_without_a_limit() -> None:
    for statement in statements():
        if statement["Resource"] == ["*"] and "Condition" not in statement:
            for service, action in actions_of(statement):
                level = privileges(service)[action]["access_level"]
                assert level in {"Read", "List"} or f"{service}:{action}" in WITHOUT_RESOURCE


# --- The script


def script(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools/iam_policy.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_writes_what_fits_into_managed_policies_and_says_how_to_create_them(tmp_path: Path) -> None:
    said = script("--stack", "clinic", "--folder", tmp_path)
    assert said.returncode == 0, said.stderr
    written = sorted(tmp_path.iterdir())
    assert [each.name for each in written] == ["clinic-deployer-1.json", "clinic-deployer-2.json"]
    assert [json.loads(each.read_text()) for each in written] == policies("clinic")
    for each in written:
        command = f"aws iam create-policy --policy-name {each.stem} --policy-document file://{each.name}"
        assert command in said.stdout


@pytest.mark.parametrize("options", [[], [*EVERYTHING, "--boundary", BOUNDARY]])
def test_each_fits_with_the_longest_name(options: list[str]) -> None:
    made = policies("a" * 31, *options)
    assert all(len("".join(json.dumps(each).split())) <= 6144 for each in made)
    # As few as can be: no two beside each other would fit into one.
    assert all(iam_policy.size(one) + iam_policy.size(other) > 6144 for one, other in pairwise(made))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--stack", "Clinic"], "use 1 to 31 lowercase letters"),
        (["--stack", "clinic*"], "use 1 to 31 lowercase letters"),
        (["--stack", ""], "use 1 to 31 lowercase letters"),
        (["--stack", "a" * 32], "use 1 to 31 lowercase letters"),
        ([], "--stack"),
        (["--stack", "clinic", "--buckets", "*"], '"*": that is no name of a bucket'),
        (["--stack", "clinic", "--vpc", "vpc-*"], '"vpc-*": use an id such as vpc-'),
        (["--stack", "clinic", "--boundary", "boundary"], "use the ARN of a policy"),
        (["--stack", "clinic", "--boundary", f"arn:aws:iam::{ACCOUNT}:policy/*"], "use the ARN of a policy"),
        (["--stack", "clinic", "--image-owner", "*"], "use the 12 digits of an account"),
    ],
)
def test_what_would_allow_more_than_was_asked_for_is_refused(options: list[str], says: str, tmp_path: Path) -> None:
    said = script(*options, "--folder", tmp_path)
    assert (said.returncode, list(tmp_path.iterdir())) == (2, [])
    assert says in said.stderr


def test_the_other_partitions(tmp_path: Path) -> None:
    made = json.dumps(policies("clinic", "--partition", "aws-us-gov", *EVERYTHING))
    assert "arn:aws-us-gov:" in made
    assert "arn:aws:" not in made
    assert "<" not in made
