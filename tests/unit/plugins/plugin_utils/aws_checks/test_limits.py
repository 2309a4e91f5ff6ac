# SPDX-License-Identifier: GPL-3.0-or-later
"""Zones that offer what is needed, and quotas that have enough left."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.limits import QUOTAS, limit_problems, used_zones

EVERYWHERE = {"instance_type": ["a", "b", "c", "d"], "database_class": ["a", "b", "c", "d"]}
PLENTY = {name: {"limit": 10_000, "used": 0} for name in QUOTAS}
EMPTY: dict[str, Any] = {"vpcs": [], "addresses": [], "instances": [], "db_instances": []}


def zones(*subnets: tuple[str, str], count: int = 2, **offers: list[str] | None) -> list[str]:
    there = [{"zone": zone, "cidr": cidr} for zone, cidr in subnets]
    return used_zones(["c", "a", "d", "b"], there, {**EVERYWHERE, **offers}, count)


def test_the_first_zones_that_offer_both() -> None:
    assert zones() == ["a", "b"]
    assert zones(count=3) == ["a", "b", "c"]
    assert zones(instance_type=["b", "c", "d"]) == ["b", "c"]
    assert zones(instance_type=["b", "c", "d"], database_class=["a", "b", "d"]) == ["b", "d"]


def test_if_there_are_not_enough_those_with_the_type_come_first() -> None:
    assert zones(instance_type=["c", "d"], database_class=["d"]) == ["d", "c"]
    assert zones(instance_type=[], database_class=[]) == ["a", "b"]


def test_what_aws_did_not_say_is_no_reason() -> None:
    assert zones(instance_type=None, database_class=None) == ["a", "b"]
    assert zones(instance_type=None, database_class=["c", "d"]) == ["c", "d"]


def test_a_stack_stays_where_it_is() -> None:
    """In the order of its ranges, which go by the order of the zones."""
    there = [("d", "10.42.192.0/18"), ("c", "10.42.128.0/18"), ("d", "10.42.64.0/18"), ("c", "10.42.0.0/18")]
    assert zones(*there) == ["c", "d"]
    assert zones(("b", "10.42.64.0/18"), ("d", "10.42.0.0/18")) == ["d", "b"]
    assert zones(*there, instance_type=["a", "b"]) == ["c", "d"]
    assert zones(("d", "10.42.0.0/18")) == ["d", "a"]


def problems(
    *,
    offers: dict[str, Any] | None = None,
    quotas: dict[str, Any] | None = None,
    resources: dict[str, Any] | None = None,
    vcpus: int | None = 2,
    **changed: Any,
) -> list[str]:
    limits = {
        "offers": {**EVERYWHERE, **(offers or {})},
        "vcpus": vcpus,
        "quotas": PLENTY if quotas is None else quotas,
    }
    given = {
        "stack": "orthweb",
        "instance_count": 1,
        "instance_type": "t3.medium",
        "database": {"class": "db.t4g.medium", "storage_gb": "50", "multi_az": "false"},
        "zones": (["a", "b"], ["a", "b"]),
        "given_vpc": False,
        "region": "us-east-1",
    }
    return list(limit_problems(limits, {**EMPTY, **(resources or {})}, **{**given, **changed}))


def test_what_is_enough_is_silent() -> None:
    assert problems() == []
    assert problems(offers={"instance_type": None, "database_class": None}, quotas={}) == []


class TestOffers:
    def test_each_zone_that_gets_a_host(self) -> None:
        lacking = {"instance_type": ["b", "c"]}
        assert problems(offers=lacking) == [
            "orthweb_instance_type is t3.medium, which is not offered in a: us-east-1 has it in b, c. Choose another "
            "type, or other zones (aws_survey_zones; in a given VPC, orthweb_public_subnet_ids)."
        ]
        assert problems(offers=lacking, zones=(["b", "a"], ["a", "b"])) == []
        assert len(problems(offers=lacking, zones=(["b", "a"], ["a", "b"]), instance_count="2")) == 1
        assert (
            "is not offered in a and b: us-east-1 does not have it"
            in problems(offers={"instance_type": []}, instance_count=3)[0]
        )

    def test_hosts_that_are_there_need_no_offer(self) -> None:
        there = {"instances": [{"name": "orthweb-imaging-1"}]}
        assert problems(offers={"instance_type": ["b"]}, resources=there, instance_count=2) == []
        assert len(problems(offers={"instance_type": ["a"]}, resources=there, instance_count=2)) == 1

    def test_one_zone_for_the_database_and_two_with_a_standby(self) -> None:
        standby = {"class": "db.t4g.medium", "storage_gb": 50, "multi_az": "true"}
        assert problems(offers={"database_class": ["b"]}) == []
        assert problems(offers={"database_class": ["c"]}) == [
            "aws_database_class is db.t4g.medium, which RDS has to offer with this version of PostgreSQL on gp3 in at "
            "least one of the zones a, b: us-east-1 has it in c. Choose another class, or other zones "
            "(aws_survey_zones; in a given VPC, orthweb_private_subnet_ids)."
        ]
        [problem] = problems(offers={"database_class": ["b", "c"]}, database=standby)
        assert (
            "in at least two of the zones, as aws_database_multi_az is true, a, b: us-east-1 has it in b, c." in problem
        )

    @pytest.mark.parametrize("class_there", ["db.t4g.medium", "db.t3.large"])
    def test_a_class_that_the_database_has_need_not_be_offered_any_more(self, class_there: str) -> None:
        there = {"db_instances": [{"id": "orthweb", "class": class_there}]}
        found = problems(offers={"database_class": []}, resources=there)
        assert len(found) == (class_there != "db.t4g.medium")

    def test_no_database_needs_no_class(self) -> None:
        assert problems(offers={"database_class": []}, database={"class": "", "storage_gb": 0}) == []
        assert problems(offers={"database_class": []}, database={}) == []


class TestQuotas:
    @pytest.mark.parametrize(
        ("name", "limit", "used", "more"),
        [
            ("vpcs", 5, 5, 1),
            ("addresses", 5, 4, 2),
            ("standard_vcpus", 5, 2, 4),
            ("databases", 40, 40, 1),
            ("database_storage_gb", 100, 60, 50),
        ],
    )
    def test_each_is_compared(self, name: str, limit: int, used: int, more: int) -> None:
        assert problems(quotas={name: {"limit": limit, "used": used}}, instance_count=2) == [
            f"The quota of {QUOTAS[name]} in us-east-1 is {limit}, of which {used} are in use, and this stack needs "
            f"{more} more. Remove what nobody needs, or request more in Service Quotas."
        ]
        assert problems(quotas={name: {"limit": used + more, "used": used}}, instance_count=2) == []

    def test_what_is_there_needs_nothing(self) -> None:
        full = {name: {"limit": 1, "used": 1} for name in QUOTAS}
        there = {
            "vpcs": [{}],
            "addresses": [{}, {}],
            "instances": [{"name": "orthweb-imaging-1"}],
            "db_instances": [{"class": "db.t4g.medium"}],
        }
        assert problems(quotas=full, resources=there) == []
        [problem] = problems(quotas=full, given_vpc=True, database={}, vcpus=None)
        assert "Elastic IPs" in problem
