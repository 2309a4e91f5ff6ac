# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call is about, for the log: who decides on permissions has to know it. Only names and tags are kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from botocore.parsers import RpcV2CBORParser
from moto.backup.models import backup_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from werkzeug.exceptions import NotFound

# Names of what is called upon, and what a condition of IAM asks for. Everything else, such as a password or the content
# of a secret, has no place in a log.
NAMES = re.compile(
    r"(?:^|[.])(\w*(Ids?|Identifier|Name|Arns?|ARN|AlarmNames|ResourceType)|PermissionsBoundary|PublicIp)$"
)
INDEX = re.compile(r"[.](member[.])?\d+(?=[.]|$)")
# What the call is compared with, or a rule refers to: it is not called upon.
BESIDE = re.compile(r"^(Filters?|Owner|Parameters|IpPermissions|BlockDeviceMapping)[.]")
# Services of the protocol `rest-json`, and where a call has its tags.
REST = {"backup": {"CreateBackupVault": "BackupVaultTags", "CreateBackupPlan": "BackupPlanTags"}}
FORM_TAG = re.compile(r"(?:^|[.])Tags?[.](?:Tag[.]|member[.])?(\d+)[.](Key|Value)$")


def parameters(service: str, environ: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """The parameters of the protocols `query` (also of EC2), `json`, `rest-json` and `cbor`, flat; empty for S3."""
    if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        parser = RpcV2CBORParser()
        return dict(parser.parse_data_item(parser.get_peekable_stream_from_bytes(body))) if body else {}
    text = body.decode("utf-8", "replace")
    if operation := rest_operation(service, environ):
        content = json.loads(text or "{}")
        return {
            **operation[1],
            **dict(_flat(content)),
            "Tags": content.get(REST[service].get(operation[0], "Tags"), {}),
        }
    if environ.get("HTTP_X_AMZ_TARGET"):
        try:
            given = json.loads(text or "{}")
        except ValueError:
            return {}
        return dict(given) if isinstance(given, dict) else {}
    return dict(parse_qsl(environ.get("QUERY_STRING", "") + "&" + text, keep_blank_values=True))


def rest_operation(service: str, environ: Mapping[str, Any]) -> tuple[str, dict[str, str]] | None:
    """Of the protocol `rest-json`: what is called, and the parameters in its path."""
    if service not in REST:
        return None
    try:
        operation, given = get_service_router(service).match(Request(dict(environ)))
    except NotFound:
        return None
    return operation.name, {f"{name[0].upper()}{name[1:]}": value for name, value in given.items()}


def _flat(given: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The members of a body of the protocol `rest-json`, as those of `query`: C(List.1.Key)."""
    pairs = given.items() if isinstance(given, dict) else enumerate(given, 1)
    for key, value in pairs:
        if isinstance(value, (dict, list)):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def names(given: Mapping[str, Any]) -> dict[str, list[str]]:
    """Identifiers by the parameter's name."""
    found: dict[str, list[str]] = {}
    for key, value in given.items():
        name = INDEX.sub("", key)
        if NAMES.search(name) and not BESIDE.match(key):
            values = value if isinstance(value, list) else [value]
            found.setdefault(name, []).extend(each for each in values if isinstance(each, str))
    return found


def tags(given: Mapping[str, Any]) -> dict[str, str]:
    """Tags that the call gives."""
    asked = given.get("Tags", given.get("tags"))
    if isinstance(asked, dict):
        return {str(key): str(value) for key, value in asked.items()}
    if isinstance(asked, list):
        each_key = (("TagKey", "TagValue"), ("Key", "Value"))
        return {str(one[k]): str(one.get(v, "")) for one in asked for k, v in each_key if k in one}
    halves: dict[str, dict[str, str]] = {}
    for key, value in given.items():
        if (match := FORM_TAG.search(key)) and not BESIDE.match(key):
            halves.setdefault(key[: match.start(2)], {})[match[2]] = value
    return {half["Key"]: half.get("Value", "") for half in halves.values() if "Key" in half}


def targets(service: str, region: str, asked: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """What there is already of what the call names, with its tags and aliases before the call."""
    if service == "ec2":
        return list(_of_ec2(ec2_backends[DEFAULT_ACCOUNT_ID][region], asked))
    if service == "elasticloadbalancing":
        return list(_of_elb(elbv2_backends[DEFAULT_ACCOUNT_ID][region], asked))
    if service == "kms":
        return list(_of_kms(kms_backends[DEFAULT_ACCOUNT_ID][region], asked))
    if service == "backup":
        tagger = backup_backends[DEFAULT_ACCOUNT_ID][region].tagger
        plans = [*asked.get("BackupPlanId", []), *(arn.rpartition(":")[2] for arn in asked.get("ResourceArn", []))]
        arn = f"arn:aws:backup:{region}:{DEFAULT_ACCOUNT_ID}:backup-plan:"
        return [{"id": each, "tags": tagger.get_tag_dict_for_resource(f"{arn}{each}")} for each in plans]
    if service == "iam":
        roles = list(iam_backends[DEFAULT_ACCOUNT_ID]["aws"].roles.values())
        named = [role for role in roles if role.name in asked.get("RoleName", [])]
        return [{"id": role.name, "boundary": role.permissions_boundary_arn} for role in named]
    return []


def _of_ec2(backend: Any, asked: Mapping[str, list[str]]) -> Iterator[dict[str, Any]]:
    ids = [each for values in asked.values() for each in values]
    also: dict[str, list[str]] = {}
    for table in list(backend.route_tables.values()):
        for association, subnet in table._associations.items():
            also[association] = [table.id, subnet]
    for acl in list(backend.network_acls.values()):
        also |= {key: [each.subnet_id] for key, each in acl._associations.items()}
    for each in list(backend.iam_instance_profile_associations.values()):
        also[each.association_id] = [each.instance_id]
    for address in list(backend.addresses):
        also |= {key: [address.allocation_id] for key in (address.association_id, address.public_ip) if key}
    also |= {name: [pair.id] for name, pair in list(backend.key_pairs.items())}
    ids += [more for each in ids for more in also.get(each, [])]
    for each in dict.fromkeys(ids):
        if re.match(r"[a-z]+-[0-9a-f]{6,}$", each):
            found: dict[str, Any] = {"id": each, "tags": dict(backend.tags[each]) if each in backend.tags else {}}
            if each in backend.amis:
                found["owner"] = backend.amis[each].owner_id
            for zone in list(backend.subnets.values()):
                if each in zone:
                    found["vpc"] = zone[each].vpc_id
            yield found


def _of_elb(backend: Any, asked: Mapping[str, list[str]]) -> Iterator[dict[str, Any]]:
    for parameter in ("LoadBalancerArn", "ListenerArn", "TargetGroupArn", "ResourceArns"):
        for arn in asked.get(parameter, []):
            yield {"id": arn.rpartition("/")[2], "tags": backend.tagging_service.get_tag_dict_for_resource(arn)}


def _of_kms(backend: Any, asked: Mapping[str, list[str]]) -> Iterator[dict[str, Any]]:
    for name in asked.get("KeyId", []) + asked.get("TargetKeyId", []):
        for key in list(backend.keys.values()):
            if name.rpartition(":key/")[2] == key.id or name in key.aliases:
                found = backend.list_resource_tags(key.id)["Tags"]
                tagged = {each["TagKey"]: each["TagValue"] for each in found}
                yield {"id": key.id, "tags": tagged, "aliases": sorted(key.aliases)}


def described(service: str, environ: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """What the log says of a call beside its name. To be asked for before the call is answered."""
    scope = re.search(r"Credential=[^/]*/\d+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    given = parameters(service, environ, body)
    asked = names(given)
    return {
        "region": scope[1] if scope else "",
        "names": asked,
        "tags": tags(given),
        "targets": targets(service, scope[1], asked) if scope else [],
    }
