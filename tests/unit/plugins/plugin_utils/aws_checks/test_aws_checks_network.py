# SPDX-License-Identifier: GPL-3.0-or-later
"""The VPC's range, and a VPC that is given: each mistake has its sentence."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.network import network_problem, vpc_problems

GIVEN = {"vpc_id": "vpc-1", "public_subnet_ids": ["subnet-1"], "private_subnet_ids": ["subnet-2", "subnet-3"]}
INCOMPLETE = (
    "orthweb_vpc_id is set: set orthweb_public_subnet_ids (at least one) and orthweb_private_subnet_ids (at "
    "least two, in two zones), too."
)


def problems(**changed: Any) -> list[str]:
    given: dict[str, Any] = {
        "cidr": "10.42.0.0/16",
        "docker_networks": ["172.17.0.0/16", "172.18.0.0/16"],
        "vpc_id": "",
        "public_subnet_ids": [],
        "private_subnet_ids": [],
    }
    return list(vpc_problems(**{**given, **changed}))


@pytest.mark.parametrize("network", ["10.42.0.0/16", "192.0.2.1/32", "0.0.0.0/0"])
def test_network(network: str) -> None:
    assert network_problem(network) == ""


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("10.0.0.1/8", '"10.0.0.1/8" is not a network in CIDR notation: 10.0.0.1/8 has host bits set.'),
        ("10.0.0/8", "\"10.0.0/8\" is not a network in CIDR notation: Expected 4 octets in '10.0.0'."),
        ("10.0.0.0", '"10.0.0.0" has no prefix length: write 10.0.0.0/32 for one address.'),
        ("fd00::/8", '"fd00::/8" is IPv6; the network is IPv4 only.'),
        (10, '"10" has no prefix length: write 10/32 for one address.'),
    ],
)
def test_what_is_no_network(value: object, says: str) -> None:
    assert network_problem(value) == says
    assert problems(cidr=value) == [f"orthweb_vpc_cidr: {says}"]


@pytest.mark.parametrize("cidr", ["10.42.0.0/16", "192.168.3.0/24"])
def test_range_that_is_right(cidr: str) -> None:
    assert problems(cidr=cidr) == []


@pytest.mark.parametrize("cidr", ["10.0.0.0/15", "10.0.0.0/25", "10.0.0.0/255.255.0.0"])
def test_range_that_is_too_large_or_too_small(cidr: str) -> None:
    assert problems(cidr=cidr) == [f"orthweb_vpc_cidr is {cidr}: a VPC for this stack has a prefix from /16 to /24."]


def test_range_that_docker_uses() -> None:
    assert problems(cidr="172.18.4.0/24") == [
        "orthweb_vpc_cidr 172.18.4.0/24 overlaps 172.18.0.0/16, which Docker uses on the hosts: they would not reach "
        "the database. Choose another, for example 10.42.0.0/16."
    ]
    too_large, *met = problems(cidr="172.16.0.0/12")
    assert "from /16 to /24" in too_large
    assert [problem.split()[3] for problem in met] == ["172.17.0.0/16,", "172.18.0.0/16,"]


def test_given_network_is_not_made() -> None:
    assert problems(**GIVEN) == []
    assert problems(**GIVEN, cidr="172.16.0.0/12") == []


@pytest.mark.parametrize("lacking", [{"public_subnet_ids": []}, {"private_subnet_ids": ["subnet-2"]}])
def test_given_network_without_its_subnets(lacking: dict[str, list[str]]) -> None:
    assert problems(**{**GIVEN, **lacking}) == [INCOMPLETE]


@pytest.mark.parametrize("which", ["public_subnet_ids", "private_subnet_ids"])
def test_subnets_without_their_network(which: str) -> None:
    assert problems(**{which: ["subnet-1"]}) == ["Subnets are set without orthweb_vpc_id, the VPC that they are in."]
