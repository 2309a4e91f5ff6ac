# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of the network part of EC2: what AWS refuses to delete because something depends on it."""

from __future__ import annotations

import time
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import internet_gateways, network_acls, security_groups, subnets, vpcs
from moto.ec2.responses.security_groups import SecurityGroups
from moto.rds.models import rds_backends

from ..settings import settings
from . import elb
from .replace import replaces


def databases(ec2: Any) -> list[Any]:
    """The DB instances in the account and region of an EC2 backend."""
    return list(rds_backends[ec2.account_id][ec2.region_name].databases.values())


def advance(ec2: Any, now: float) -> None:
    """Remember the subnets that a database has been in."""
    groups = [getattr(database, "db_subnet_group", None) for database in databases(ec2)]
    for group in groups:
        for subnet in group._subnets if group else ():
            subnet.rehearsal_had_database = True


def lingers(subnet: Any) -> bool:
    """On AWS, the interface of a database is in its subnet for minutes after it; here, from the first look on."""
    if not getattr(subnet, "rehearsal_had_database", False):
        return False
    subnet.rehearsal_looked = getattr(subnet, "rehearsal_looked", time.monotonic())
    return time.monotonic() - subnet.rehearsal_looked < settings.interface_seconds


# AWS refuses to delete a VPC with an attached gateway, an endpoint, or a group or network ACL besides its own in it.
@replaces(vpcs.VPCBackend, "delete_vpc")
def delete_vpc(original: Any, ec2: Any, vpc_id: str) -> Any:
    groups = [group for group in ec2.groups.get(vpc_id, {}).values() if not group.is_default]
    gateways = [gateway for gateway in ec2.internet_gateways.values() if gateway.vpc and gateway.vpc.id == vpc_id]
    endpoints = [endpoint for endpoint in ec2.vpc_end_points.values() if endpoint.vpc_id == vpc_id]
    acls = [acl for acl in ec2.network_acls.values() if acl.vpc_id == vpc_id and not acl.default]
    if groups or gateways or endpoints or acls:
        raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    return original(ec2, vpc_id)


# AWS refuses to delete a subnet with a network interface in it; an RDS instance and a load balancer have one, which
# moto does not show.
@replaces(subnets.SubnetBackend, "delete_subnet")
def delete_subnet(original: Any, ec2: Any, subnet_id: str) -> Any:
    interfaces = [eni for eni in list(ec2.enis.values()) if eni.subnet.id == subnet_id]
    interfaces += [balancer for balancer in elb.held(ec2) for subnet in balancer.subnets if subnet.id == subnet_id]
    groups = [getattr(database, "db_subnet_group", None) for database in databases(ec2)]
    if (
        interfaces
        or lingers(ec2.get_subnet(subnet_id))
        or any(subnet.id == subnet_id for group in groups if group for subnet in group._subnets)
    ):
        raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    deleted = original(ec2, subnet_id)
    # AWS takes the association with a route table away with the subnet. With moto's, the table could never be deleted.
    for table in list(ec2.route_tables.values()):
        for association in [key for key, subnet in table._associations.items() if subnet == subnet_id]:
            del table._associations[association]
    for acl in list(ec2.network_acls.values()):
        for association in [key for key, each in acl._associations.items() if each.subnet_id == subnet_id]:
            del acl._associations[association]
    return deleted


# AWS refuses to delete a group that an interface, a DB instance or a load balancer has, or that a rule of another group
# names.
@replaces(security_groups.SecurityGroupBackend, "delete_security_group")
def delete_security_group(original: Any, ec2: Any, name: str | None = None, group_id: str | None = None) -> Any:
    used = {group.id for eni in list(ec2.enis.values()) for group in eni.group_set}
    used |= {group for balancer in elb.held(ec2) for group in balancer.security_groups or []}
    used |= {member for database in databases(ec2) for member in database.vpc_security_group_ids}
    others = [group for groups in ec2.groups.values() for group in groups.values() if group.id != group_id]
    used |= {
        (rule.source_group or {}).get("GroupId")
        for group in others
        for rule in group.ingress_rules + group.egress_rules
    }
    if group_id in used:
        raise DependencyViolationError(f"resource {group_id} has a dependent object")
    return original(ec2, name, group_id)


# AWS answers whether it was done, and the module reads that. moto's answer is empty.
def update_rule_descriptions(original: Any, response: Any) -> ActionResult:
    original(response)
    return ActionResult({"Return": True})


replaces(SecurityGroups, "update_security_group_rule_descriptions_ingress")(update_rule_descriptions)
replaces(SecurityGroups, "update_security_group_rule_descriptions_egress")(update_rule_descriptions)


# AWS refuses to detach a gateway while an interface in the VPC has a public address.
@replaces(internet_gateways.InternetGatewayBackend, "detach_internet_gateway")
def detach_internet_gateway(original: Any, ec2: Any, internet_gateway_id: str, vpc_id: str) -> Any:
    mapped = [eni for eni in list(ec2.enis.values()) if eni.public_ip and eni.subnet.vpc_id == vpc_id]
    mapped += [each for each in elb.held(ec2) if each.vpc_id == vpc_id and each.scheme != "internal"]
    if mapped:
        raise DependencyViolationError(
            f"Network {vpc_id} has some mapped public address(es). "
            "Please unmap those public address(es) before detaching the gateway."
        )
    return original(ec2, internet_gateway_id, vpc_id)


# The module looks for a network ACL by its id in a filter, which moto lacks.
@replaces(network_acls.NetworkAcl, "get_filter_value")
def network_acl_filter(original: Any, acl: Any, filter_name: str, method_name: str | None = None) -> Any:
    return acl.id if filter_name == "network-acl-id" else original(acl, filter_name, method_name)


# On AWS a deleted endpoint is gone after a moment. moto lists it for ever.
@replaces(vpcs.VPCBackend, "delete_vpc_endpoints")
def delete_vpc_endpoints(original: Any, ec2: Any, vpce_ids: list[str] | None = None) -> Any:
    result = original(ec2, vpce_ids)
    for endpoint in vpce_ids or []:
        ec2.vpc_end_points.pop(endpoint, None)
    return result
