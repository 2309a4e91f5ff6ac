# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers and their target groups. Elastic Load Balancing has no filter by tag, and no tags in its answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .resource import Question, pages, resource, tags_of

TAGGED_AT_ONCE = 20  # as many ARNs as DescribeTags takes


def tags_by_arn(client: Any, arns: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for begin in range(0, len(arns), TAGGED_AT_ONCE):
        answer = client.describe_tags(ResourceArns=arns[begin : begin + TAGGED_AT_ONCE])
        found |= {each["ResourceArn"]: tags_of(each.get("Tags")) for each in answer["TagDescriptions"]}
    return found


def _tagged(
    question: Question, items: list[dict[str, Any]], prefix: str
) -> list[tuple[dict[str, Any], str, str, dict[str, str]]]:
    """What may be ours, with its ARN, name and tags."""
    named = [item for item in items if question.may_be_ours(item[f"{prefix}Name"])]
    tags = tags_by_arn(question.client, [item[f"{prefix}Arn"] for item in named])
    return [(item, item[f"{prefix}Arn"], item[f"{prefix}Name"], tags.get(item[f"{prefix}Arn"], {})) for item in named]


def load_balancers(question: Question) -> list[dict[str, Any]]:
    found = pages(question.client, "describe_load_balancers", "LoadBalancers")
    return [
        resource(
            arn,
            name,
            item.get("State", {}).get("Code"),
            tags,
            type=item.get("Type"),
            scheme=item.get("Scheme"),
            dns_name=item.get("DNSName"),
            vpc_id=item.get("VpcId"),
        )
        for item, arn, name, tags in _tagged(question, found, "LoadBalancer")
    ]


def target_groups(question: Question) -> list[dict[str, Any]]:
    found = pages(question.client, "describe_target_groups", "TargetGroups")
    return [
        resource(arn, name, None, tags, port=item.get("Port"), vpc_id=item.get("VpcId"))
        for item, arn, name, tags in _tagged(question, found, "TargetGroup")
    ]


KINDS: dict[str, Callable[[Question], list[dict[str, Any]]]] = {
    "load_balancers": load_balancers,
    "target_groups": target_groups,
}
