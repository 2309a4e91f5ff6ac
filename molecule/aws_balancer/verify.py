# SPDX-License-Identifier: GPL-3.0-or-later
"""The load balancer as AWS describes it: what it forwards, how long it remembers, and what it asks a host."""

from __future__ import annotations

from typing import Any

from api import STACK, client, looking, tags

elb = client("elbv2")
(balancer,) = elb.describe_load_balancers()["LoadBalancers"]
arn = balancer["LoadBalancerArn"]
listeners = {each["Port"]: each for each in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]}
groups = {each["TargetGroupArn"]: each for each in elb.describe_target_groups()["TargetGroups"]}


def attributes(kind: str, **of: str) -> dict[str, Any]:
    return tags(getattr(elb, f"describe_{kind}_attributes")(**of)["Attributes"])


with looking() as expect:
    expect("name and kind", (balancer["LoadBalancerName"], balancer["Type"]), (STACK, "network"))
    own = attributes("load_balancer", LoadBalancerArn=arn)
    expect("protected", own["deletion_protection.enabled"], "true")
    expect("sends to hosts of all zones", own["load_balancing.cross_zone.enabled"], "true")
    expect("ports", sorted(listeners), [443, 8042, 11112])
    for port, listener in listeners.items():
        idle = attributes("listener", ListenerArn=listener["ListenerArn"])["tcp.idle_timeout.seconds"]
        expect(f"idle seconds of {port}", idle, "3900")
        group = groups[listener["DefaultActions"][0]["TargetGroupArn"]]
        expect(f"where {port} goes", group["TargetGroupName"], f"{STACK}-{port}")
        asked = group["HealthCheckProtocol"], group["HealthCheckPort"], group["HealthCheckPath"]
        expect(f"what a host is asked for {port}", asked, ("HTTPS", "443", "/ready"))
        kept = attributes("target_group", TargetGroupArn=group["TargetGroupArn"])
        expect(f"addresses of clients at {port}", kept["preserve_client_ip.enabled"], "true")
        expect(f"same host at {port}", kept.get("stickiness.enabled"), "true" if port != 11112 else "false")
