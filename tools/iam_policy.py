# SPDX-License-Identifier: GPL-3.0-or-later
"""The least that a deployer needs, from the calls that rehearsals really made.

  python iam_policy.py LOG... > policy     from logs of rehearsal.serve (--log)
  python iam_policy.py --stack clinic      files/iam-policy.json, for one stack only

tests/aws/test_iam_policy.py fails when the calls and files/iam-policy.json differ.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

POLICY = Path(__file__).resolve().parents[1] / "files" / "iam-policy.json"

# Allowed to everybody who has credentials.
FREE = {"sts:GetCallerIdentity"}
# The service as a signature calls it, and as IAM does.
SERVICES = {"tagging": "tag"}
# S3's calls have no names. The log does not tell what a GET of a bucket asked for: all that amazon.aws.s3_bucket and
# aws_stack_info may.
S3 = {
    r"GET /$": ["ListAllMyBuckets"],
    r"HEAD /[^/]+/?$": ["ListBucket"],
    r"GET /[^/]+/?$": ["GetBucketTagging", "ListBucket", "ListBucketVersions"],
    r"DELETE /[^/]+/?$": ["DeleteBucket"],
    r"POST /[^/]+/?$": ["DeleteObject", "DeleteObjectVersion"],  # several at once (?delete)
}

# What AWS checks without a call of that name, or a rehearsal cannot call, and why. It is allowed if the call before the
# reason was made.
UNSEEN: dict[str, tuple[str, str]] = {
    "ec2:CreateTags": ("ec2:CreateVpc", "everything gets its tag in the call that makes it"),
    "iam:TagRole": ("iam:CreateRole", "the same"),
    "iam:TagInstanceProfile": ("iam:CreateInstanceProfile", "the same"),
    "kms:TagResource": ("kms:CreateKey", "the same"),
    "logs:TagResource": ("logs:CreateLogGroup", "the same"),
    "rds:AddTagsToResource": ("rds:CreateDBInstance", "the same; the final snapshot takes them over"),
    "secretsmanager:TagResource": ("secretsmanager:CreateSecret", "the same"),
    "iam:PassRole": ("ec2:RunInstances", "the hosts get their role from us, and the flow log gets its own"),
    "iam:CreateServiceLinkedRole": ("rds:CreateDBInstance", "RDS makes its own role for an account's first database"),
    "rds:CreateDBSnapshot": ("rds:DeleteDBInstance", "the final snapshot (checked since 2024)"),
    "kms:CreateGrant": ("ec2:RunInstances", "EC2 and RDS may use the key while disk and database live"),
    "kms:Decrypt": ("ec2:RunInstances", "EBS, RDS and Secrets Manager open their data keys in our name"),
    "kms:GenerateDataKey": ("secretsmanager:CreateSecret", "Secrets Manager encrypts a password in our name"),
    "kms:GenerateDataKeyWithoutPlaintext": ("ec2:RunInstances", "EBS makes a disk's data key in our name"),
    "kms:ReEncryptFrom": ("ec2:RunInstances", "EBS, where a disk is made from the image's snapshot"),
    "kms:ReEncryptTo": ("ec2:RunInstances", "the same"),
    "route53:AssociateVPCWithHostedZone": ("ec2:CreateVpcEndpoint", "names of interface endpoints inside the VPC"),
    "ssm:StartSession": ("ec2:RunInstances", "orthweb_connect_by: systems_manager, the tunnel of SSH"),
    "ssm:TerminateSession": ("ec2:RunInstances", "the same: its end"),
}  # fmt: skip
# Not here: logs:CreateLogDelivery. Flow logs to a log group need a role (iam:PassRole) instead.
# Written as one, for a managed policy may have 6144 characters: they only read, and none can be limited to a resource.
TOGETHER = {"ec2:Describe": "ec2:Describe*"}

# Allowed by a second statement too: tags of what is ours already; the one kind of session.
ALSO = {"ec2:CreateTags": "Ours", "ssm:StartSession": "SessionKind"}

TAG = "aws:ResourceTag/orthweb:stack"
READS = r"(?!s3:)\w+:(Describe|List|Get)"


@dataclass(frozen=True)
class Rule:
    """A statement: the actions that it takes (the first rule that fits has them), on what, on which condition."""

    sid: str
    actions: str
    resources: list[str] = field(default_factory=lambda: ["*"])
    condition: dict[str, Any] = field(default_factory=dict)


def rules(stack: str, made: list[str]) -> list[Rule]:
    """What a deployer must be allowed to do.

    :param stack: name of the stack, or ``*`` for any
    :param made: names of the calls that make something in EC2
    """
    tagged = {"Null": {TAG: "false"}} if stack == "*" else {"StringEquals": {TAG: stack}}
    roles = [f"arn:aws:iam::*:role/{stack}-imaging", f"arn:aws:iam::*:role/{stack}-flow-logs"]
    profiles = [f"arn:aws:iam::*:instance-profile/{stack}-imaging"]
    secrets = [f"arn:aws:secretsmanager:*:*:secret:{stack}/{what}*" for what in ("controller", "database-")]
    databases = [f"arn:aws:rds:*:*:{what}" for what in (f"db:{stack}", f"subgrp:{stack}", f"pg:{stack}-postgres*",
                 f"snapshot:{stack}-final-*", "og:default*")]  # fmt: skip
    logs = [f"arn:aws:logs:*:*:log-group:/orthweb/{stack}/{what}*" for what in ("audit", "flow-logs")]
    via = [f"{service}.*.amazonaws.com" for service in ("ec2", "rds", "secretsmanager")]
    passed = ["ec2.amazonaws.com", "vpc-flow-logs.amazonaws.com"]
    systems_manager = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    return [
        # A secret that is not there yet has no ARN to be described by.
        Rule("Secrets", r"secretsmanager:(?!List|Describe)", secrets),
        Rule("EmptyBuckets", r"s3:"),
        Rule("Look", READS),
        # Deleting, and changing hosts, only where our tag is. KMS wants minutes until a new tag counts, and the VPC's
        # default security group has none: the rest is not limited by tag.
        Rule("Ours", r"ec2:(Delete(?!Route$)|Terminate|Release|Detach|Start|Stop|ModifyInstance)|rds:DeleteDBInstance$"
             r"|kms:(Schedule|Cancel)KeyDeletion$", condition=tagged),
        Rule("TagNew", r"ec2:CreateTags$", condition={"StringEquals": {"ec2:CreateAction": made}}),
        Rule("Ec2", r"ec2:"),
        Rule("PassRole", r"iam:PassRole$", roles, {"StringEquals": {"iam:PassedToService": passed}}),
        Rule("RdsRole", r"iam:CreateServiceLinkedRole$", condition={
            "StringEquals": {"iam:AWSServiceName": "rds.amazonaws.com"}}),
        Rule("AttachPolicy", r"iam:AttachRolePolicy$", roles, {"ArnEquals": {"iam:PolicyARN": systems_manager}}),
        Rule("Roles", r"iam:", roles + profiles),
        Rule("UseKey", r"kms:(Decrypt|GenerateDataKey|ReEncrypt)", condition={"StringLike": {"kms:ViaService": via}}),
        Rule("GrantKey", r"kms:CreateGrant$", condition={"Bool": {"kms:GrantIsForAWSResource": "true"}}),
        Rule("Keys", r"kms:"),
        Rule("Logs", r"logs:", logs),
        Rule("Database", r"rds:", databases),
        Rule("Session", r"ssm:StartSession$", ["arn:aws:ec2:*:*:instance/*"], tagged),
        Rule("SessionKind", r"$", ["arn:aws:ssm:*:*:document/AWS-StartSSHSession"]),
        Rule("EndSession", r"ssm:", ["arn:aws:ssm:*:*:session/${aws:userid}-*"]),
        Rule("EndpointNames", r"route53:"),
    ]  # fmt: skip


def actions_of(calls: Iterable[Mapping[str, Any]]) -> set[str]:
    """The actions of IAM that let these calls through, with those that AWS checks beside them."""
    actions: set[str] = set()
    for call in calls:
        service, name = SERVICES.get(call["service"], call["service"]), call["action"]
        if service == "s3":
            named = [actions for pattern, actions in S3.items() if re.match(pattern, name)]
            if not named:
                raise ValueError(f"the table S3 does not have {name!r}")
            actions |= {f"s3:{each}" for each in named[0]}
        elif not re.fullmatch(r"\w+", name):
            raise ValueError(f"{service} was called with {name!r}, which is no name of an action")
        else:
            actions.add(f"{service}:{name}")
    actions |= {unseen for unseen, (call, reason) in UNSEEN.items() if call in actions}
    return {next((one for start, one in TOGETHER.items() if each.startswith(start)), each) for each in actions - FREE}


def policy(actions: Iterable[str], stack: str = "*") -> dict[str, Any]:
    wanted = sorted(actions)
    made = [each for each in wanted if re.match(r"ec2:(Create(?!Route$|Tags$)|Run|Import|Allocate)", each)]
    table = rules(stack, [each.removeprefix("ec2:") for each in made])
    taken: dict[str, list[str]] = {rule.sid: [] for rule in table}
    for action in wanted:
        fitting = [rule.sid for rule in table if re.match(rule.actions, action)]
        if not fitting:
            raise ValueError(f"no rule says on what {action} is to be allowed")
        taken[fitting[0]].append(action)
        if action in ALSO:
            taken[ALSO[action]].append(action)
    statements = []
    for rule in table:
        if taken[rule.sid]:
            statement = {"Sid": rule.sid, "Effect": "Allow", "Action": taken[rule.sid], "Resource": rule.resources}
            statements.append(statement | ({"Condition": rule.condition} if rule.condition else {}))
    return {"Version": "2012-10-17", "Statement": statements}


def actions_in(document: Mapping[str, Any]) -> set[str]:
    return {action for statement in document["Statement"] for action in statement["Action"]}


def written(document: Mapping[str, Any]) -> str:
    """JSON with a line for each action."""
    return json.dumps(document, indent=2) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "logs", nargs="*", type=Path, metavar="LOG", help="default: the actions of files/iam-policy.json"
    )
    parser.add_argument("--stack", default="*", help="the one stack that it is for; default: any")
    arguments = parser.parse_args()
    if arguments.logs:
        actions = actions_of(json.loads(line) for log in arguments.logs for line in log.read_text().splitlines())
    else:
        actions = actions_in(json.loads(POLICY.read_text()))
    print(written(policy(actions, arguments.stack)), end="")


if __name__ == "__main__":
    main()
