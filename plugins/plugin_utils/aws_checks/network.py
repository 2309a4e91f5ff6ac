# SPDX-License-Identifier: GPL-3.0-or-later
"""The VPC: its range, and one that is given with its subnets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network

PREFIXES = tuple(str(length) for length in range(16, 25))


def network_problem(value: object) -> str:
    """Say what is wrong with an IPv4 network in CIDR notation, as a sentence; empty if nothing is."""
    text = str(value)
    if ":" in text:
        return f'"{text}" is IPv6; the network is IPv4 only.'
    if "/" not in text:
        return f'"{text}" has no prefix length: write {text}/32 for one address.'
    try:
        IPv4Network(text)
    except ValueError as error:
        return f'"{text}" is not a network in CIDR notation: {error}.'
    return ""


def vpc_problems(
    *,
    cidr: object,
    docker_networks: Sequence[str],
    vpc_id: str,
    public_subnet_ids: Sequence[str],
    private_subnet_ids: Sequence[str],
) -> Iterator[str]:
    """Of the VPC, ours or an existing one.

    :param docker_networks: what Docker uses on the hosts
    :param vpc_id: an existing VPC, empty to have one made; the subnets are in it
    """
    if problem := network_problem(cidr):
        yield f"orthweb_vpc_cidr: {problem}"
    elif not vpc_id:
        yield from _made_vpc_problems(str(cidr), docker_networks)
    if vpc_id and not (public_subnet_ids and len(private_subnet_ids) > 1):
        yield (
            "orthweb_vpc_id is set: set orthweb_public_subnet_ids (at least one) and orthweb_private_subnet_ids (at "
            "least two, in two zones), too."
        )
    if not vpc_id and (public_subnet_ids or private_subnet_ids):
        yield "Subnets are set without orthweb_vpc_id, the VPC that they are in."


def _made_vpc_problems(cidr: str, docker_networks: Sequence[str]) -> Iterator[str]:
    """AWS takes a prefix length only, no netmask."""
    if cidr.partition("/")[2] not in PREFIXES:
        yield f"orthweb_vpc_cidr is {cidr}: a VPC for this stack has a prefix from /16 to /24."
    for other in docker_networks:
        if IPv4Network(cidr).overlaps(IPv4Network(other)):
            yield (
                f"orthweb_vpc_cidr {cidr} overlaps {other}, which Docker uses on the hosts: they would not reach the "
                "database. Choose another, for example 10.42.0.0/16."
            )
