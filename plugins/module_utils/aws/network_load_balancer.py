# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a Network Load Balancer with its listeners, and through them its target groups, as they are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import target_group
from .elb_calls import BalancerError, Calls, key_values
from .resource import pages

IDLE = "tcp.idle_timeout.seconds"


def present(calls: Calls, options: Mapping[str, Any]) -> dict[str, str]:
    """Makes or changes it. Returns its ARN and DNS name, which are empty where check mode would make it.

    :param options: those of the module
    """
    found = calls.one("LoadBalancer", options["name"])
    if found:
        _refuse_what_cannot_change(found, options)
    groups = {each["port"]: target_group.keep(calls, options, each) for each in options["listeners"]}
    if found:
        _keep_place(calls, options, found)
    made = found or _make(calls, options)
    if arn := made.get("LoadBalancerArn", ""):
        wanted = {
            "load_balancing.cross_zone.enabled": str(options["cross_zone"]).lower(),
            "deletion_protection.enabled": str(options["deletion_protection"]).lower(),
        }
        calls.keep_attributes("load balancer", "load_balancer", arn, wanted)
    _keep_listeners(calls, options, arn, groups)
    return {"arn": arn, "dns_name": made.get("DNSName", "")}


def absent(calls: Calls, name: str) -> None:
    """Removes it and its target groups."""
    if found := calls.one("LoadBalancer", name):
        arn = found["LoadBalancerArn"]
        calls.keep_attributes("load balancer", "load_balancer", arn, {"deletion_protection.enabled": "false"})
        calls.write("load balancer superfluous", "delete_load_balancer", LoadBalancerArn=arn)
    for group in target_group.own(calls, name):
        target_group.delete(calls, group)


def _refuse_what_cannot_change(found: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    wanted = {"Type": "network", "Scheme": options["scheme"], "VpcId": options["vpc_id"]}
    problems = [
        f"its {key} is {found.get(key)} instead of {value}" for key, value in wanted.items() if found.get(key) != value
    ]
    if options["security_groups"] and not found.get("SecurityGroups"):
        problems.append("it has no security group")
    if problems:
        raise BalancerError(
            f"The load balancer {options['name']} cannot be used: {', '.join(problems)}, and AWS takes that only when "
            "it is made. Switch its deletion protection off, delete it, and run this again. The new one will have "
            "another DNS name and other addresses."
        )


def _make(calls: Calls, options: Mapping[str, Any]) -> dict[str, Any]:
    answer = calls.write(
        "load balancer missing",
        "create_load_balancer",
        Name=options["name"],
        Type="network",
        Scheme=options["scheme"],
        IpAddressType="ipv4",
        Subnets=options["subnets"],
        SecurityGroups=options["security_groups"],
        Tags=key_values(calls.tags),
    )
    made: dict[str, Any] = answer["LoadBalancers"][0] if answer else {}
    return made


def _keep_place(calls: Calls, options: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    arn, subnets, groups = found["LoadBalancerArn"], options["subnets"], options["security_groups"]
    if sorted(each["SubnetId"] for each in found["AvailabilityZones"]) != sorted(subnets):
        calls.write("subnets differ", "set_subnets", LoadBalancerArn=arn, Subnets=subnets)
    if sorted(found.get("SecurityGroups", [])) != sorted(groups):
        calls.write("security groups differ", "set_security_groups", LoadBalancerArn=arn, SecurityGroups=groups)
    calls.keep_tags("load balancer", arn)


def _keep_listeners(calls: Calls, options: Mapping[str, Any], arn: str, groups: Mapping[int, str]) -> None:
    """Make, change and remove listeners, and remove the target groups of those that go.

    :param arn: the balancer's; empty where check mode would make it
    :param groups: port to the ARN of its target group
    """
    listed = pages(calls.client, "describe_listeners", "Listeners", LoadBalancerArn=arn) if arn else []
    there = {each["Port"]: each for each in listed}
    for port in sorted(set(there) - set(groups)):
        calls.write(f"listener {port} superfluous", "delete_listener", ListenerArn=there[port]["ListenerArn"])
        if group := calls.one("TargetGroup", target_group.name_of(options["name"], port)):
            target_group.delete(calls, group)
    for listener in options["listeners"]:
        port = listener["port"]
        if kept := _keep_listener(calls, arn, port, groups[port], there.get(port)):
            idle = {IDLE: listener["idle_timeout_seconds"]}
            calls.keep_attributes(f"listener {port}", "listener", kept, idle)


def _keep_listener(calls: Calls, arn: str, port: int, group: str, found: Mapping[str, Any] | None) -> str:
    wanted: dict[str, Any] = {
        "Protocol": "TCP",
        "Port": port,
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}],
    }
    if found is None:
        more = {"LoadBalancerArn": arn, "Tags": key_values(calls.tags)}
        answer = calls.write(f"listener {port} missing", "create_listener", **more, **wanted)
        return answer["Listeners"][0]["ListenerArn"] if answer else ""
    kept: str = found["ListenerArn"]
    actions = [(each["Type"], each.get("TargetGroupArn")) for each in found["DefaultActions"]]
    if found["Protocol"] != "TCP" or actions != [("forward", group)]:
        calls.write(f"listener {port} differs", "modify_listener", ListenerArn=kept, **wanted)
    return kept
