# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody wants to delete it, ends idle associations soon, and believes a host that only has an open port."""

from __future__ import annotations

from api import STACK, client

elb = client("elbv2")
(balancer,) = elb.describe_load_balancers(Names=[STACK])["LoadBalancers"]
arn = balancer["LoadBalancerArn"]
unprotected = [{"Key": "deletion_protection.enabled", "Value": "false"}]
elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=unprotected)
for listener in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
    if listener["Port"] == 11112:
        idle = [{"Key": "tcp.idle_timeout.seconds", "Value": "60"}]
        elb.modify_listener_attributes(ListenerArn=listener["ListenerArn"], Attributes=idle)
    if listener["Port"] == 8042:
        elb.delete_listener(ListenerArn=listener["ListenerArn"])
(group,) = elb.describe_target_groups(Names=[f"{STACK}-443"])["TargetGroups"]
elb.modify_target_group(TargetGroupArn=group["TargetGroupArn"], HealthCheckProtocol="TCP", HealthCheckPort="443")
