# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS answered: each thing that cannot work has its sentence."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks import answers

REGION = "us-east-1"
FOUND = ["us-east-1b", "us-east-1a"]


@pytest.mark.parametrize(("wanted", "used"), [([], FOUND), (FOUND, FOUND)])
def test_zones_that_are_right(wanted: list[str], used: list[str]) -> None:
    assert list(answers.zone_problems(wanted, found=FOUND, used=used, region=REGION)) == []


def test_zones_that_the_region_lacks() -> None:
    wanted = ["us-east-1z", "us-east-1a", "us-east-1y", "us-east-1z"]
    assert list(answers.zone_problems(wanted, found=FOUND, used=wanted, region=REGION)) == [
        "aws_survey_zones has us-east-1z; us-east-1 has us-east-1a, us-east-1b.",
        "aws_survey_zones has us-east-1y; us-east-1 has us-east-1a, us-east-1b.",
    ]


@pytest.mark.parametrize("used", [[], ["us-east-1a"]])
def test_fewer_than_two_zones(used: list[str]) -> None:
    assert list(answers.zone_problems([], found=FOUND, used=used, region=REGION)) == [
        f"RDS needs subnets in at least two zones, but {len(used)} would be used (aws_survey_zone_count, "
        "aws_survey_zones)."
    ]


def test_image() -> None:
    wanted = {"names": "debian-13-amd64-*", "owner": "136693071363", "region": REGION}
    assert list(answers.image_problems([{"image_id": "ami-1"}], **wanted)) == []
    assert list(answers.image_problems([], **wanted)) == [
        "There is no image debian-13-amd64-* of the account 136693071363 in us-east-1 (aws_survey_image_names, "
        "aws_survey_image_owner)."
    ]


def test_name_that_somebody_else_has() -> None:
    assert list(answers.foreign_name_problems([], "orthweb")) == []
    theirs = {"kind": "db_subnet_groups", "id": "group-1", "name": "pacs"}
    assert list(answers.foreign_name_problems([theirs], "orthweb")) == [
        'The name "pacs" is taken: db subnet groups group-1 has it but does not have the tag orthweb:stack=orthweb, '
        "so it is not ours. Choose another orthweb_stack."
    ]


def test_database_that_is_being_deleted() -> None:
    assert list(answers.going_database_problems([])) == []
    assert list(answers.going_database_problems([{"id": "db-1", "name": "orthweb"}])) == [
        "RDS is still deleting the database orthweb of this stack. A new one cannot be created until it is gone: aws "
        "rds wait db-instance-deleted --db-instance-identifier db-1."
    ]


class TestGivenSubnets:
    PUBLIC = {"subnet_id": "subnet-1", "vpc_id": "vpc-1", "availability_zone": "us-east-1a"}
    FIRST = {"subnet_id": "subnet-2", "vpc_id": "vpc-1", "availability_zone": "us-east-1a"}
    SECOND = {"subnet_id": "subnet-3", "vpc_id": "vpc-1", "availability_zone": "us-east-1b"}

    def problems(self, *found: dict[str, str], **changed: Any) -> list[str]:
        given = {
            "vpc_id": "vpc-1",
            "public_subnet_ids": ["subnet-1"],
            "private_subnet_ids": ["subnet-2", "subnet-3"],
            "region": REGION,
        }
        return list(answers.given_subnet_problems(found, **{**given, **changed}))

    def test_what_is_right_is_silent(self) -> None:
        assert self.problems(self.PUBLIC, self.FIRST, self.SECOND) == []
        assert self.problems(vpc_id="", public_subnet_ids=[], private_subnet_ids=[]) == []

    def test_missing_ones(self) -> None:
        more = ["subnet-2", "subnet-3", "subnet-9"]
        assert self.problems(self.FIRST, self.SECOND, private_subnet_ids=more) == [
            "There is no subnet subnet-1 in us-east-1.",
            "There is no subnet subnet-9 in us-east-1.",
        ]

    def test_one_of_another_network(self) -> None:
        assert self.problems({**self.PUBLIC, "vpc_id": "vpc-2"}, self.FIRST, self.SECOND) == [
            "The subnet subnet-1 is in vpc-2, not in vpc-1."
        ]

    def test_one_zone_for_the_database(self) -> None:
        public = {**self.PUBLIC, "availability_zone": "us-east-1c"}
        assert self.problems(public, self.FIRST, {**self.SECOND, "availability_zone": "us-east-1a"}) == [
            "orthweb_private_subnet_ids are all in one zone; RDS needs two."
        ]
