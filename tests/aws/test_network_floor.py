# SPDX-License-Identifier: GPL-3.0-or-later
"""Two limits below the security groups: the network ACL of the database's subnets, and the policy of the way to S3."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.aws.life import Lifecycle, Step, own
from support.aws.listing import tags

READS = {"Sid": "Download", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}


def subnets(step: Step, tier: str) -> dict[str, str]:
    """Range by id."""
    return {
        each["SubnetId"]: each["CidrBlock"]
        for each in own(step, "subnets")
        if tags(each["Tags"])["Name"].startswith(f"orthweb-{tier}-")
    }


def rules(step: Step) -> set[tuple[str, str, str, int, int]]:
    (acl,) = own(step, "network_acls")
    assert {each["SubnetId"] for each in acl["Associations"]} == set(subnets(step, "private"))
    return {
        (
            "out" if rule["Egress"] else "in",
            rule["Protocol"],
            rule["CidrBlock"],
            rule["PortRange"]["From"],
            rule["PortRange"]["To"],
        )
        for rule in acl["Entries"]
        if rule["RuleAction"] == "allow"
    }


def statements(step: Step) -> list[dict[str, Any]]:
    (endpoint,) = [each for each in own(step, "vpc_endpoints") if each["ServiceName"].endswith(".s3")]
    return json.loads(endpoint["PolicyDocument"])["Statement"]


def as_made(step: Step) -> None:
    hosts = list(subnets(step, "public").values())
    assert rules(step) == {
        *(("in", "6", cidr, 5432, 5432) for cidr in hosts),
        *(("out", "6", cidr, 1024, 65535) for cidr in hosts),
    }
    (download, account) = statements(step)
    assert download == READS
    assert account["Condition"] == {"StringEquals": {"aws:ResourceAccount": "123456789012"}}


def test_the_database_is_reached_from_the_hosts_subnets_only_and_images_stay_in_the_account(
    lifecycle: Lifecycle,
) -> None:
    as_made(lifecycle.created)


def test_the_acl_has_its_rules_before_the_database_is_behind_it(lifecycle: Lifecycle) -> None:
    writes = lifecycle.created.run.ok().writes
    first = writes.index("ec2:ReplaceNetworkAclAssociation")
    assert "ec2:CreateNetworkAclEntry" in writes[:first]
    assert "ec2:CreateNetworkAclEntry" not in writes[first:]


def test_what_somebody_opened_is_closed(lifecycle: Lifecycle) -> None:
    lifecycle.drifted.run.ok()
    lifecycle.fixed.run.ok()
    as_made(lifecycle.fixed)


@pytest.mark.long
def test_interface_endpoints_in_these_subnets_are_reached(lifecycle: Lifecycle) -> None:
    lifecycle.revived.run.ok()
    added = rules(lifecycle.revived) - {each for each in rules(lifecycle.revived) if each[3] != 443}
    assert added == {("in", "6", cidr, 443, 443) for cidr in subnets(lifecycle.revived, "public").values()}


@pytest.mark.long
def test_an_endpoint_that_lets_everything_through_is_replaced(lifecycle: Lifecycle) -> None:
    lifecycle.changed.run.ok()
    assert statements(lifecycle.changed)[0] == READS
    assert len(statements(lifecycle.changed)) == 2
