# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that are asked name by name: keys, secrets, IAM, log groups, buckets.

They have no filter by tag, or answer one with what was true some minutes ago. So each name that the stack uses is
looked up by itself; what has the tag under any other name comes from the tag index (not for IAM, which has none).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

with contextlib.suppress(ImportError):  # AnsibleAWSModule says so.
    from botocore.exceptions import ClientError

from . import key_policy, role_region
from .resource import (
    STACK_TAG,
    Question,
    pages,
    resource,
    tags_of,
)


def kms_keys(question: Question) -> list[dict[str, Any]]:
    """Keys; the name is that of the alias, as ``alias/name``."""
    found: dict[str, dict[str, Any]] = {}
    for reference in [*question.names, *_from_index(question, ":kms:")]:
        with _missing("NotFoundException"):
            key = question.client.describe_key(KeyId=reference)["KeyMetadata"]
            aliases = pages(question.client, "list_aliases", "Aliases", KeyId=key["KeyId"])
            names = sorted(
                (alias["AliasName"] for alias in aliases), key=lambda name: (name not in question.names, name)
            )
            state = {"PendingDeletion": "pending_deletion"}.get(key["KeyState"], key["KeyState"])
            tags = tags_of(pages(question.client, "list_resource_tags", "Tags", KeyId=key["KeyId"]))
            rotates, policy = None, {}
            if question.is_ours(tags):
                answer = question.client.get_key_policy(KeyId=key["KeyId"], PolicyName="default")
                policy = json.loads(answer["Policy"])
            if question.is_ours(tags) and state == "Enabled":
                rotates = question.client.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]
            found[key["KeyId"]] = resource(
                key["KeyId"],
                names[0] if names else "",
                state,
                tags,
                arn=key["Arn"],
                aliases=names,
                description=key.get("Description"),
                rotates=rotates,
                services=key_policy.services(policy),
                accounts=key_policy.accounts(policy),
            )
    return list(found.values())


def secrets(question: Question) -> list[dict[str, Any]]:
    filters = [{"Key": "tag-key", "Values": [STACK_TAG]}, {"Key": "tag-value", "Values": [question.stack]}]
    listed = pages(question.client, "list_secrets", "SecretList", IncludePlannedDeletion=True, Filters=filters)
    found: dict[str, dict[str, Any]] = {}
    # The list lags behind, so it gives names only. By name, not ARN: a secret can be made again with another ARN.
    for name in [*question.names, *(item["Name"] for item in listed)]:
        with _missing("ResourceNotFoundException"):
            item = question.client.describe_secret(SecretId=name)
            found[item["ARN"]] = resource(
                item["ARN"],
                item["Name"],
                "pending_deletion" if item.get("DeletedDate") else None,
                tags_of(item.get("Tags")),
                arn=item["ARN"],
                kms_key_id=item.get("KmsKeyId"),
            )
    return list(found.values())


def iam_roles(question: Question) -> list[dict[str, Any]]:
    """Roles by name, and those that would have one of the names in another region."""
    patterns = [role_region.pattern(name) for name in question.names_anywhere]
    listed = pages(question.client, "list_roles", "Roles") if patterns else []
    others = [each["RoleName"] for each in listed if any(one.fullmatch(each["RoleName"]) for one in patterns)]
    found = []
    # A new role may not be listed yet.
    for name in dict.fromkeys([*question.names, *others]):
        with _missing("NoSuchEntity"):
            item = question.client.get_role(RoleName=name)["Role"]
            tags = tags_of(item.get("Tags"))
            # Somebody else's may be nobody's business.
            policies = _policies(question, name) if question.is_ours(tags) else {}
            found.append(
                resource(
                    item["RoleId"],
                    name,
                    None,
                    tags,
                    arn=item["Arn"],
                    description=item.get("Description"),
                    trust_policy=item.get("AssumeRolePolicyDocument"),
                    permissions_boundary=item.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
                    **policies,
                )
            )
    return found


def _policies(question: Question, role: str) -> dict[str, Any]:
    attached = pages(question.client, "list_attached_role_policies", "AttachedPolicies", RoleName=role)
    names = pages(question.client, "list_role_policies", "PolicyNames", RoleName=role)
    return {
        "managed_policies": sorted(each["PolicyArn"] for each in attached),
        "policies": {
            name: question.client.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in map(str, names)
        },
    }


def instance_profiles(question: Question) -> list[dict[str, Any]]:
    found = []
    for name in question.names:
        with _missing("NoSuchEntity"):
            item = question.client.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
            roles = sorted(role["RoleName"] for role in item.get("Roles", []))
            found.append(
                resource(item["InstanceProfileId"], name, None, tags_of(item.get("Tags")), arn=item["Arn"], roles=roles)
            )
    return found


def log_groups(question: Question) -> list[dict[str, Any]]:
    named = [arn.partition(":log-group:")[2].removesuffix(":*") for arn in _from_index(question, ":log-group:")]
    found: dict[str, dict[str, Any]] = {}
    for prefix in sorted({f"/orthweb/{question.stack}/", *question.names, *named}):
        listed = pages(question.client, "describe_log_groups", "logGroups", logGroupNamePrefix=prefix)
        for item in listed:
            name = item["logGroupName"]
            arn = item["arn"].removesuffix(":*")
            if name in found or not (name == prefix or prefix.endswith("/")):
                continue
            with _missing("ResourceNotFoundException"):
                tags = question.client.list_tags_for_resource(resourceArn=arn).get("tags", {})
                found[name] = resource(
                    name,
                    name,
                    None,
                    tags,
                    arn=arn,
                    retention_days=item.get("retentionInDays"),
                    kms_key_arn=item.get("kmsKeyId"),
                )
    return list(found.values())


def buckets(question: Question) -> list[dict[str, Any]]:
    named = [arn.rpartition(":")[2] for arn in _from_index(question, ":s3:")]
    mine = {item["Name"] for item in question.client.list_buckets()["Buckets"]} if question.names else set(named)
    found = []
    for name in sorted({*question.names, *named}):
        with _missing("NoSuchBucket", "404"):
            if name not in mine:
                # Names of buckets are the world's. 403: it is in somebody else's account.
                with _missing("403", "301", "AccessDenied"):
                    question.client.head_bucket(Bucket=name)
                found.append(resource(name, name, None, {}))
                continue
            tags: dict[str, str] = {}
            with _missing("NoSuchTagSet"):
                tags = tags_of(question.client.get_bucket_tagging(Bucket=name)["TagSet"])
            found.append(resource(name, name, None, tags))
    return found


def _from_index(question: Question, part: str) -> list[str]:
    return [arn for arn in question.arns() if part in arn]


@contextlib.contextmanager
def _missing(*codes: str) -> Iterator[None]:
    """Passes over an error that says: there is none of that name."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise
