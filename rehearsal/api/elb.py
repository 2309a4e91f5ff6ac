# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of Elastic Load Balancing: what AWS refuses, and what a load balancer holds while it is there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, FakeTargetGroup, elbv2_backends
from moto.moto_api._internal import mock_random

from ..settings import settings
from .instances import address
from .replace import replaces

# What says how a target of a group is: state, reason, description. Nothing does where there are no stand-ins.
healths: list[Callable[[Any, str], tuple[str, str, str]]] = []

NAME = re.compile("(?!internal-)[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?")
IDLE = "tcp.idle_timeout.seconds"


def held(ec2: Any) -> Iterator[Any]:
    """The load balancers in the account and region of an EC2 backend, with those whose interfaces are still there."""
    backend = elbv2_backends[ec2.account_id][ec2.region_name]
    yield from list(backend.load_balancers.values())
    for since, balancer in getattr(backend, "rehearsal_deleted", []):
        if time.monotonic() - since < settings.interface_seconds:
            yield balancer


# AWS takes 32 letters, digits and hyphens, and an Internet-facing one only in a VPC with a gateway.
@replaces(ELBv2Backend, "create_load_balancer")
def create_load_balancer(
    original: Any,
    elb: Any,
    name: str,
    security_groups: list[str],
    subnet_ids: list[str],
    subnet_mappings: list[dict[str, str]] | None = None,
    scheme: str = "internet-facing",
    *args: Any,
    **kwargs: Any,
) -> Any:
    if not NAME.fullmatch(name):
        raise ELBClientError("ValidationError", f"The load balancer name '{name}' is not valid")
    ec2 = elb.ec2_backend
    vpcs = {ec2.get_subnet(each).vpc_id for each in subnet_ids or []}
    zones = [ec2.get_subnet(each).availability_zone for each in subnet_ids or []]
    if len(set(zones)) < len(zones):
        raise ELBClientError(
            "InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in a zone"
        )
    for vpc in vpcs:
        gateways = [gateway for gateway in ec2.internet_gateways.values() if gateway.vpc and gateway.vpc.id == vpc]
        if scheme != "internal" and not gateways:
            raise ELBClientError("InvalidSubnet", f"VPC {vpc} has no internet gateway")
    made = original(elb, name, security_groups, subnet_ids, subnet_mappings, scheme, *args, **kwargs)
    if made.type == "network":  # moto gives all of them the ARN of an application's
        before, made.arn = made.arn, made.arn.replace(":loadbalancer/app/", ":loadbalancer/net/")
        elb.load_balancers[made.arn] = elb.load_balancers.pop(before)
        elb.tagging_service.copy_tags(before, made.arn)
        elb.tagging_service.delete_all_tags_for_resource(before)
        made.dns_name = dns_name(name, elb.region_name)
    return made


# AWS gives a Network Load Balancer a name that nobody had. This one ends in its address: no name server knows it.
def dns_name(name: str, region: str) -> str:
    last = "".join(f"{int(part):02x}" for part in address().split(".")[1:])
    return f"{name}-{mock_random.get_random_hex(10)}{last}.elb.{region}.amazonaws.com"


def address_of(dns_name: str) -> str:
    """The address in 127/8 of a Network Load Balancer; inventory/rehearsal finds it in the same way."""
    last = bytes.fromhex(dns_name.partition(".")[0][-6:])
    return ".".join(str(part) for part in (127, *last))


# AWS refuses to delete a protected one. Its interfaces are in their subnets for a while longer.
@replaces(ELBv2Backend, "delete_load_balancer")
def delete_load_balancer(original: Any, elb: Any, arn: str) -> Any:
    balancer = elb.load_balancers.get(arn)
    if balancer and balancer.attrs.get("deletion_protection.enabled") == "true":
        raise ELBClientError(
            "OperationNotPermitted", f"Load balancer '{arn}' cannot be deleted because deletion protection is on"
        )
    if balancer:
        elb.rehearsal_deleted = [*getattr(elb, "rehearsal_deleted", []), (time.monotonic(), balancer)]
    return original(elb, arn)


# AWS takes groups of a Network Load Balancer only if it was made with one.
@replaces(ELBv2Backend, "set_security_groups")
def set_security_groups(original: Any, elb: Any, arn: str, sec_groups: list[str]) -> Any:
    balancer = elb.load_balancers.get(arn)
    if balancer and balancer.type == "network" and bool(balancer.security_groups) != bool(sec_groups):
        raise ELBClientError(
            "InvalidConfigurationRequest",
            "You cannot set security groups on a Network Load Balancer that was made without, nor remove all of them",
        )
    return original(elb, arn, sec_groups)


# AWS takes 60 to 6000 seconds.
@replaces(ELBv2Backend, "modify_listener_attributes")
def modify_listener_attributes(original: Any, elb: Any, listener_arn: str, attrs: list[dict[str, str]]) -> Any:
    for each in attrs:
        if each["Key"] == IDLE and not 60 <= int(each["Value"]) <= 6000:
            raise ELBClientError("InvalidConfigurationRequest", f"{IDLE} must be between 60 and 6000")
    return original(elb, listener_arn, attrs)


# AWS refuses an instance of another VPC, and one that does not run.
@replaces(FakeTargetGroup, "register")
def register(original: Any, group: Any, targets: list[dict[str, Any]]) -> Any:
    for each in targets:
        instance = group.ec2_backend.get_instance_by_id(each["Id"])
        if not instance or instance.vpc_id != group.vpc_id:
            raise ELBClientError(
                "InvalidTarget", f"The following targets are not in the target group VPC {group.vpc_id}: {each['Id']}"
            )
    return original(group, targets)


# AWS has these attributes from the start where targets are instances; moto has none, and takes what it is given.
# The connections of a target that becomes unhealthy are cut unless the last one is false.
@replaces(FakeTargetGroup, "__init__")
def group_begins(original: Any, group: Any, *args: Any, **kwargs: Any) -> None:
    original(group, *args, **kwargs)
    if group.protocol in ("TCP", "TLS"):
        group.attributes |= {
            "preserve_client_ip.enabled": "true",
            "proxy_protocol_v2.enabled": "false",
            "deregistration_delay.connection_termination.enabled": "false",
            "target_health_state.unhealthy.connection_termination.enabled": "true",
        }


# To moto a target that is registered is healthy, whatever is behind it.
@replaces(FakeTargetGroup, "health_for")
def health_for(original: Any, group: Any, target: dict[str, Any], ec2_backend: Any) -> Any:
    found = original(group, target, ec2_backend)
    if found.status == "healthy" and healths:
        found.status, found.reason, found.description = healths[0](group, target["Id"])
    return found
