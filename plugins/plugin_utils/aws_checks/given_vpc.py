# SPDX-License-Identifier: GPL-3.0-or-later
"""A VPC that is given: its ranges, its DNS, and the way that its public subnets have to the outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

# Without the first, a host cannot resolve the name of the database. Without the second, it has no public DNS name.
DNS = {"enable_dns_support": "--enable-dns-support", "enable_dns_hostnames": "--enable-dns-hostnames"}


def given_vpc_problems(
    vpcs: Sequence[Mapping[str, Any]],
    route_tables: Sequence[Mapping[str, Any]],
    *,
    vpc_id: str,
    public_subnet_ids: Sequence[str],
    docker_networks: Sequence[str],
    connect_by: object,
    region: str,
) -> Iterator[str]:
    """Of an existing VPC.

    :param vpcs: what amazon.aws.ec2_vpc_net_info says about ``vpc_id``
    :param route_tables: what amazon.aws.ec2_vpc_route_table_info says about those in it
    :param vpc_id: if it is empty, there is nothing to check
    """
    if not vpc_id:
        return
    if not vpcs:
        yield f"There is no VPC {vpc_id} in {region} (orthweb_vpc_id)."
        return
    [vpc] = vpcs
    for association in vpc["cidr_block_association_set"]:
        if association["cidr_block_state"]["state"] in ("associating", "associated"):
            yield from _range_problems(vpc_id, association["cidr_block"], docker_networks)
    for attribute, option in DNS.items():
        if not vpc[attribute]:
            yield (
                f"The VPC {vpc_id} has {attribute} off, so that hosts would lack names that they need. Switch it on: "
                f"aws ec2 modify-vpc-attribute --vpc-id {vpc_id} {option}"
            )
    for subnet_id in public_subnet_ids:
        yield from _way_out_problems(subnet_id, _table_of(subnet_id, route_tables), str(connect_by))


def _range_problems(vpc_id: str, cidr: str, docker_networks: Sequence[str]) -> Iterator[str]:
    for other in docker_networks:
        if IPv4Network(cidr).overlaps(IPv4Network(other)):
            yield (
                f"The VPC {vpc_id} has the range {cidr}, which overlaps {other}, which Docker uses on the hosts: they "
                "would not reach what is there, such as the database. Use another VPC."
            )


def _table_of(subnet_id: str, route_tables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The table that the subnet is associated with, else the VPC's main one."""
    associations = [(each, table) for table in route_tables for each in table["associations"]]
    own = [table for each, table in associations if each.get("subnet_id") == subnet_id]
    main = [table for each, table in associations if each.get("main")]
    return next(iter(own or main), None)


def _way_out_problems(subnet_id: str, table: Mapping[str, Any] | None, connect_by: str) -> Iterator[str]:
    name = table["route_table_id"] if table else "none"
    ways = [route for route in table["routes"] if _leads_out(route)] if table else []
    subnet = f"The subnet {subnet_id} (orthweb_public_subnet_ids) with the route table {name}"
    if connect_by == "public":
        whole = [route for route in ways if route.get("destination_cidr_block") == "0.0.0.0/0"]
        if not any(str(route.get("gateway_id") or "").startswith("igw-") for route in whole):
            yield (
                f"{subnet} has no route to an Internet gateway for 0.0.0.0/0: with orthweb_connect_by: public, nobody "
                "could reach the hosts. Add the route, choose other subnets, or set orthweb_connect_by: private."
            )
    elif not ways:
        yield (
            f"{subnet} has no route out of the VPC: the hosts could not get packages and images. Add one to an "
            "Internet, NAT or transit gateway, or choose other subnets."
        )


def _leads_out(route: Mapping[str, Any]) -> bool:
    """Not within the VPC, not to the endpoint of a service, and not to a target that is gone."""
    target = str(route.get("gateway_id") or "")
    return route.get("state") == "active" and target != "local" and not target.startswith("vpce-")
