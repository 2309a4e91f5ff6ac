# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the target groups of a Network Load Balancer, one for each listener, with its hosts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from .elb import tags_by_arn
from .elb_calls import BalancerError, Calls, differing, key_values
from .resource import STACK_TAG, pages


def name_of(balancer: str, port: int) -> str:
    return f"{balancer}-{port}"


def health_check(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """In the words of the API.

    :param wanted: the module's option C(health_check)
    """
    path = {"HealthCheckPath": wanted["path"]} if wanted["protocol"] != "TCP" else {}
    return {
        "HealthCheckProtocol": wanted["protocol"],
        "HealthCheckPort": str(wanted["port"]),
        **path,
        "HealthCheckIntervalSeconds": wanted["interval_seconds"],
        "HealthCheckTimeoutSeconds": wanted["timeout_seconds"],
        "HealthyThresholdCount": wanted["healthy_count"],
        "UnhealthyThresholdCount": wanted["unhealthy_count"],
    }


def attributes(listener: Mapping[str, Any], deregistration_seconds: int) -> dict[str, str]:
    """Client addresses are preserved: allow-lists, lock-outs and the audit trail use them.

    A host that says it cannot store keeps its associations until they end, as one that is deregistered does.
    """
    return {
        "preserve_client_ip.enabled": "true",
        "proxy_protocol_v2.enabled": "false",
        "deregistration_delay.timeout_seconds": str(deregistration_seconds),
        "deregistration_delay.connection_termination.enabled": "false",
        "target_health_state.unhealthy.connection_termination.enabled": "false",
        "stickiness.enabled": "true" if listener["sticky"] else "false",
        "stickiness.type": "source_ip",
    }


def keep(calls: Calls, options: Mapping[str, Any], listener: Mapping[str, Any]) -> str:
    """The ARN of a listener's target group; empty where check mode would make it.

    :param options: those of the module
    :param listener: one of them
    """
    name, health = name_of(options["name"], listener["port"]), health_check(options["health_check"])
    found = calls.one("TargetGroup", name)
    if found and found.get("VpcId") != options["vpc_id"]:
        raise BalancerError(
            f"The target group {name} belongs to {found.get('VpcId')} instead of {options['vpc_id']}, and AWS takes "
            "that only when it is made. Delete it and run this again."
        )
    if not found:
        answer = calls.write(
            f"target group {name} missing",
            "create_target_group",
            Name=name,
            Protocol="TCP",
            Port=listener["port"],
            VpcId=options["vpc_id"],
            TargetType="instance",
            Tags=key_values(calls.tags),
            **health,
        )
        if not answer:
            return ""
        found = answer["TargetGroups"][0]
    arn: str = found["TargetGroupArn"]
    if changed := differing(health, found):
        calls.write(f"health check of {name} differs", "modify_target_group", TargetGroupArn=arn, **changed)
    wanted = attributes(listener, options["deregistration_delay_seconds"])
    calls.keep_attributes(f"target group {name}", "target_group", arn, wanted)
    calls.keep_tags(f"target group {name}", arn)
    _keep_targets(calls, name, arn, options["targets"])
    return arn


def _keep_targets(calls: Calls, name: str, arn: str, wanted: Collection[str]) -> None:
    """A target that is draining is on its way out, and is registered anew if it is wanted."""
    health = calls.ask("describe_target_health", "TargetHealthDescriptions", TargetGroupArn=arn)
    there = {each["Target"]["Id"] for each in health if each["TargetHealth"]["State"] != "draining"}
    for verb, call, ids in (
        ("missing in", "register_targets", sorted(set(wanted) - there)),
        ("superfluous in", "deregister_targets", sorted(there - set(wanted))),
    ):
        if ids:
            targets = [{"Id": each} for each in ids]
            calls.write(f"{', '.join(ids)} {verb} {name}", call, TargetGroupArn=arn, Targets=targets)


def own(calls: Calls, balancer: str) -> list[dict[str, Any]]:
    """Those that were made for this balancer, whether it is still there or not."""
    found = pages(calls.client, "describe_target_groups", "TargetGroups")
    named = [each for each in found if each["TargetGroupName"] == name_of(balancer, each.get("Port", 0))]
    tags = tags_by_arn(calls.client, [each["TargetGroupArn"] for each in named])
    return [each for each in named if tags.get(each["TargetGroupArn"], {}).get(STACK_TAG) == calls.tags[STACK_TAG]]


def delete(calls: Calls, group: Mapping[str, Any]) -> None:
    reason = f"target group {group['TargetGroupName']} superfluous"
    calls.write(reason, "delete_target_group", TargetGroupArn=group["TargetGroupArn"])
