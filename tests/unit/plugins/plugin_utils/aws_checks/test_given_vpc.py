# SPDX-License-Identifier: GPL-3.0-or-later
"""A VPC that is given: each thing about it that cannot work has its sentence."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.given_vpc import given_vpc_problems

INTERNET = {"destination_cidr_block": "0.0.0.0/0", "gateway_id": "igw-1", "state": "active"}
LOCAL = {"destination_cidr_block": "10.77.0.0/16", "gateway_id": "local", "state": "active"}
S3 = {"destination_prefix_list_id": "pl-1", "gateway_id": "vpce-1", "state": "active"}
NAT = {"destination_cidr_block": "0.0.0.0/0", "nat_gateway_id": "nat-1", "state": "active"}
TRANSIT = {"destination_cidr_block": "10.0.0.0/8", "transit_gateway_id": "tgw-1", "state": "active"}


def block(cidr: str, state: str = "associated") -> dict[str, Any]:
    return {"cidr_block": cidr, "cidr_block_state": {"state": state}}


def table(name: str, routes: list[dict[str, str]], *associations: dict[str, Any]) -> dict[str, Any]:
    return {"route_table_id": name, "routes": routes, "associations": list(associations)}


def problems(
    *,
    vpc: dict[str, Any] | None = None,
    tables: list[dict[str, Any]] | None = None,
    subnets: tuple[str, ...] = ("subnet-1",),
    connect_by: str = "public",
) -> list[str]:
    right = {
        "cidr_block_association_set": [block("10.77.0.0/16")],
        "enable_dns_support": True,
        "enable_dns_hostnames": True,
    }
    main = [table("rtb-main", [LOCAL, INTERNET], {"main": True})]
    return list(
        given_vpc_problems(
            [{**right, **(vpc or {})}],
            main if tables is None else tables,
            vpc_id="vpc-1",
            public_subnet_ids=subnets,
            docker_networks=["172.17.0.0/16", "172.18.0.0/16"],
            connect_by=connect_by,
            region="us-east-1",
        )
    )


NOTHING = {"public_subnet_ids": [], "docker_networks": [], "connect_by": "public", "region": "us-east-1"}


def test_what_is_right_is_silent() -> None:
    assert problems() == []
    assert list(given_vpc_problems([], [], vpc_id="", **NOTHING)) == []


def test_one_that_there_is_not() -> None:
    assert list(given_vpc_problems([], [], vpc_id="vpc-1", **NOTHING)) == [
        "There is no VPC vpc-1 in us-east-1 (orthweb_vpc_id)."
    ]


def test_every_range_is_looked_at() -> None:
    ranges = [block("10.77.0.0/16"), block("172.18.4.0/24"), block("172.17.0.0/16", "disassociated")]
    assert problems(vpc={"cidr_block_association_set": ranges}) == [
        "The VPC vpc-1 has the range 172.18.4.0/24, which overlaps 172.18.0.0/16, which Docker uses on the hosts: they "
        "would not reach what is there, such as the database. Use another VPC."
    ]


def test_both_dns_attributes() -> None:
    assert problems(vpc={"enable_dns_support": False, "enable_dns_hostnames": False}) == [
        f"The VPC vpc-1 has enable_dns_{what} off, so that hosts would lack names that they need. Switch it on: aws "
        f"ec2 modify-vpc-attribute --vpc-id vpc-1 --enable-dns-{what}"
        for what in ("support", "hostnames")
    ]


@pytest.mark.parametrize("routes", [[LOCAL], [LOCAL, S3], [NAT], [TRANSIT], [{**INTERNET, "state": "blackhole"}]])
def test_nobody_could_come_in(routes: list[dict[str, str]]) -> None:
    assert problems(tables=[table("rtb-1", routes, {"main": False, "subnet_id": "subnet-1"})]) == [
        "The subnet subnet-1 (orthweb_public_subnet_ids) with the route table rtb-1 has no route to an Internet "
        "gateway for 0.0.0.0/0: with orthweb_connect_by: public, nobody could reach the hosts. Add the route, choose "
        "other subnets, or set orthweb_connect_by: private."
    ]


@pytest.mark.parametrize("connect_by", ["private", "systems_manager"])
def test_any_way_out_is_enough_for_who_comes_from_inside(connect_by: str) -> None:
    for route in (INTERNET, NAT, TRANSIT):
        assert problems(tables=[table("rtb-1", [LOCAL, route], {"main": True})], connect_by=connect_by) == []
    for routes in ([LOCAL, S3], [{**NAT, "state": "blackhole"}]):
        assert problems(tables=[table("rtb-1", routes, {"main": True})], connect_by=connect_by) == [
            "The subnet subnet-1 (orthweb_public_subnet_ids) with the route table rtb-1 has no route out of the VPC: "
            "the hosts could not get packages and images. Add one to an Internet, NAT or transit gateway, or choose "
            "other subnets."
        ]


def test_the_subnet_s_own_table_counts_before_the_main_one() -> None:
    main = table("rtb-main", [LOCAL, INTERNET], {"main": True})
    own = table("rtb-2", [LOCAL], {"main": False, "subnet_id": "subnet-2"})
    [problem] = problems(tables=[main, own], subnets=("subnet-1", "subnet-2"))
    assert problem.startswith("The subnet subnet-2 (orthweb_public_subnet_ids) with the route table rtb-2 has no route")
