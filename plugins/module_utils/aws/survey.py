# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks about all kinds of resources side by side, and tells ours from those that only have our names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

with contextlib.suppress(ImportError):  # AnsibleAWSModule says so.
    from botocore.exceptions import BotoCoreError, ClientError

from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

from . import backup, by_name, ec2, elb, encrypted, notices, rds, role_region
from .failure import denied_action, denied_sentence, sentence
from .resource import (
    GOING,
    GONE,
    STACK_TAG,
    Question,
    pages,
)

Answer = Callable[[Question], list[dict[str, Any]]]

KINDS: dict[str, tuple[str, Answer]] = {
    **{kind: ("ec2", ec2.ask(how)) for kind, how in ec2.KINDS.items()},
    "vpcs": ("ec2", ec2.vpcs),
    "instances": ("ec2", ec2.instances),
    **{kind: ("elbv2", how) for kind, how in elb.KINDS.items()},
    "kms_keys": ("kms", by_name.kms_keys),
    "secrets": ("secretsmanager", by_name.secrets),
    "iam_roles": ("iam", by_name.iam_roles),
    "instance_profiles": ("iam", by_name.instance_profiles),
    "log_groups": ("logs", by_name.log_groups),
    "db_instances": ("rds", rds.instances),
    "db_subnet_groups": ("rds", rds.subnet_groups),
    "db_parameter_groups": ("rds", rds.parameter_groups),
    "db_snapshots": ("rds", rds.snapshots),
    "event_subscriptions": ("rds", rds.event_subscriptions),
    "alarms": ("cloudwatch", notices.alarms),
    "topics": ("sns", notices.topics),
    "backup_vaults": ("backup", backup.vaults),
    "backup_plans": ("backup", backup.plans),
    "buckets": ("s3", by_name.buckets),
}
# What may need one of the stack's keys, whatever its tags.
ENCRYPTED: dict[str, tuple[str, Answer]] = {
    "encrypted_databases": ("rds", encrypted.databases),
    "encrypted_disks": ("ec2", encrypted.disks),
}
ASKED = KINDS | ENCRYPTED
INDEX = "resourcegroupstaggingapi"
THREADS = 10  # as many as a boto3 client has connections
INDEXED = ["kms", "logs", "rds", "s3"]


class SurveyError(Exception):
    """The account could not be looked at; the text is for the user."""


@dataclass(frozen=True)
class Survey:
    """What there is in the account.

    :ivar resources: what carries the stack's tag, by kind
    :ivar going: the same of what is on its way out
    :ivar foreign: what has one of our names and lacks the tag
    :ivar elsewhere: roles and instance profiles with the tag that are of the same stack in another region
    """

    resources: dict[str, list[dict[str, Any]]]
    going: dict[str, list[dict[str, Any]]]
    foreign: list[dict[str, str]]
    elsewhere: list[dict[str, str]]


def survey(
    client: Callable[[str], Any],
    stack: str,
    names: Mapping[str, Sequence[str]],
    region: str = "",
    former_names: Mapping[str, Sequence[str]] | None = None,
) -> Survey:
    """Look at the account.

    :param client: makes the boto3 client of a service
    :param names: what the stack calls its resources, by kind, with C({region}) for the region
    :param former_names: what earlier versions called them; anybody else may have these names now
    """
    names_anywhere = {kind: [name for name in given if role_region.REGION in name] for kind, given in names.items()}
    current = role_region.filled(names, region)
    # boto3 makes clients in one thread only, and lets many use them.
    clients = {service: client(service) for service in dict.fromkeys([INDEX, *(each[0] for each in ASKED.values())])}
    retried = AWSRetry.jittered_backoff(retries=6, delay=1, catch_extra_error_codes=["ThrottlingException"])
    with ThreadPoolExecutor(max_workers=THREADS) as threads:
        index = threads.submit(retried(_arns), clients[INDEX], stack)
        asked = {
            kind: threads.submit(
                retried(answer),
                Question(
                    clients[service],
                    stack,
                    (*current.get(kind, ()), *(former_names or {}).get(kind, ())),
                    index.result,
                    tuple(names_anywhere.get(kind, ())),
                ),
            )
            for kind, (service, answer) in ASKED.items()
        }
    _raise_failures(stack, index, asked)
    outlives = [each for kind in ENCRYPTED for each in asked[kind].result()]
    outlives += [
        {"kind": kind, "id": each["id"], "key_arn": each["kms_key_arn"]}
        for kind in ("db_snapshots", "db_instances")
        for each in asked[kind].result()
        if kind == "db_snapshots" or each["tags"].get(STACK_TAG) != stack
    ]
    for key in asked["kms_keys"].result():
        needs = ({"kind": each["kind"], "id": each["id"]} for each in outlives if each["key_arn"] == key["arn"])
        key["log_groups"] = sorted(
            each["name"] for each in asked["log_groups"].result() if each["kms_key_arn"] == key["arn"]
        )
        key["needed_by"] = sorted(needs, key=lambda each: (each["kind"], each["id"]))
    elsewhere = role_region.elsewhere(stack, region, names, {kind: asked[kind].result() for kind in KINDS})
    not_here = {(each["kind"], each["id"]) for each in elsewhere}
    resources: dict[str, list[dict[str, Any]]] = {}
    going: dict[str, list[dict[str, Any]]] = {}
    foreign: list[dict[str, str]] = []
    for kind in sorted(KINDS):
        found = sorted(asked[kind].result(), key=lambda each: (each["name"], each["id"]))
        ours = [each for each in found if each["tags"].get(STACK_TAG) == stack and (kind, each["id"]) not in not_here]
        resources[kind] = [each for each in ours if each["state"] not in GOING]
        going[kind] = [each for each in ours if each["state"] in GOING]
        foreign += [
            {"kind": kind, "id": each["id"], "name": each["name"]}
            for each in found
            if each["name"] in current.get(kind, ())
            and each["tags"].get(STACK_TAG) != stack
            and each["state"] not in GONE
        ]
    return Survey(resources, going, sorted(foreign, key=lambda each: (each["kind"], each["id"])), elsewhere)


def _arns(client: Any, stack: str) -> list[str]:
    filters = [{"Key": STACK_TAG, "Values": [stack]}]
    found = pages(client, "get_resources", "ResourceTagMappingList", TagFilters=filters, ResourceTypeFilters=INDEXED)
    return [each["ResourceARN"] for each in found]


def _raise_failures(stack: str, index: Future[Any], asked: Mapping[str, Future[Any]]) -> None:
    errors = [(INDEX, "the tag index", index.exception())]
    errors += [
        (ASKED[kind][0], kind.replace("_", " "), future.exception())
        for kind, future in asked.items()
        if future.exception() is not index.exception()
    ]
    failed = [(service, what, error) for service, what, error in errors if error]
    if not failed:
        return
    for service, what, error in failed:
        if not isinstance(error, (BotoCoreError, ClientError)):
            raise error
        if not denied_action(service, error):
            raise SurveyError(sentence(service, error, f"Looking for {what} of stack {stack}")) from error
    denied = [denied_action(service, error) or "" for service, what, error in failed if isinstance(error, ClientError)]
    raise SurveyError(denied_sentence(denied, f"Looking for the resources of stack {stack}")) from failed[0][2]
