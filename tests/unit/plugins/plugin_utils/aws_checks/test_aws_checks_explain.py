# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said after a failure, and what a teardown has left behind."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.explain import (
    ADVICE,
    failure_advice,
    inventory,
)
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.leftovers import left_over


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("An error occurred (RequestLimitExceeded) when calling RunInstances", "wait a few minutes"),
        ("An error occurred (Throttling)", "wait a few minutes"),
        ("An error occurred (ExpiredToken)", "The credentials have expired"),
        ("An error occurred (SignatureDoesNotMatch)", "The credentials are not valid"),
        (
            "An error occurred (UnauthorizedOperation)",
            "These credentials lack a permission; `make policy STACK=<stack>`",
        ),
        ("An error occurred (AddressLimitExceeded)", "no Elastic IP left"),
        ("An error occurred (VpcLimitExceeded)", "no VPC left"),
        ("An error occurred (VcpuLimitExceeded)", "quota of running instances"),
        ("Failed to create security group", "CloudTrail does. It is usually a quota"),
        ("Failed to authorize security group", "CloudTrail does. It is usually a quota"),
        ("An error occurred (InsufficientDBInstanceCapacity)", "AWS has no capacity for that type in that zone"),
        ("An error occurred (StorageQuotaExceeded)", "quota of RDS"),
        ("Client.InternalError: the instance is gone", "usually a disabled KMS key"),
        ("An error occurred (InternalError)", "AWS has an internal error"),
        ("HTTP 503", "AWS has an internal error"),
        ("An error occurred (Unheard) and 1503 more", "Look the error up"),
        ("Unable to describe the key", "Look the error up"),
    ],
)
def test_advice(message: str, says: str) -> None:
    assert says in failure_advice(message)


def test_the_first_that_fits_is_said() -> None:
    throttled = failure_advice("Throttling")
    assert failure_advice("AccessDenied, after Throttling") == throttled


def test_what_is_no_error_of_aws_has_no_advice() -> None:
    assert failure_advice("The key pair is in the account") == ""
    assert failure_advice("") == ""


def test_advice_is_whole_sentences() -> None:
    assert all(advice == " ".join(advice.split()) and advice.endswith(".") for advice in ADVICE.values())


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        (None, "unknown, as AWS did not answer that either"),
        ({}, "nothing"),
        ({"vpcs": 0}, "nothing"),
        ({"vpcs": 1, "subnets": 4, "volumes": 0, "kms_keys": 1}, "1 vpc, 4 subnets, 1 kms key"),
        ({"addresses": 1}, "1 address"),
        ({"addresses": 2}, "2 addresses"),
    ],
)
def test_inventory(counts: dict[str, int] | None, says: str) -> None:
    assert inventory(counts) == says


def things(*names: str) -> list[dict[str, str]]:
    return [{"id": f"id-of-{name}", "name": name} for name in names]


def test_nothing_left() -> None:
    assert left_over({}) == []
    key = {"id": "key-1", "name": "alias/orthweb", "needed_by": [{"kind": "db_snapshots", "id": "final"}]}
    assert left_over({"vpcs": [], "db_snapshots": things("final"), "kms_keys": [key]}) == []


def test_what_is_left() -> None:
    assert left_over({"security_groups": things("a", "b"), "db_snapshots": things("final")}) == [
        "security groups: a (id-of-a)",
        "security groups: b (id-of-b)",
    ]


def test_a_log_group_that_is_kept_is_not_left() -> None:
    groups = {"log_groups": things("/orthweb/a/audit", "/orthweb/a/flow-logs")}
    assert left_over(groups, ["/orthweb/a/audit"]) == ["log groups: /orthweb/a/flow-logs (id-of-/orthweb/a/flow-logs)"]
    assert len(left_over(groups)) == 2
    assert len(left_over({"secrets": things("/orthweb/a/audit")}, ["/orthweb/a/audit"])) == 1


def test_key_that_nothing_needs_is_left() -> None:
    assert left_over({"kms_keys": things("alias/orthweb"), "db_snapshots": []}) == [
        "kms keys: alias/orthweb (id-of-alias/orthweb)"
    ]
    assert len(left_over({"kms_keys": things("alias/orthweb")})) == 1


def test_a_key_of_a_log_group_that_is_kept_is_not_left() -> None:
    (key,) = things("alias/orthweb")
    found = {"kms_keys": [{**key, "log_groups": ["/orthweb/a/audit", "/orthweb/a/flow-logs"]}]}
    assert left_over(found, ["/orthweb/a/audit"]) == []
    assert len(left_over(found, ["/orthweb/b/audit"])) == len(left_over(found)) == 1


def test_a_secret_that_is_kept_is_not_left() -> None:
    secrets = {"secrets": things("a/controller", "a/database-master")}
    assert left_over(secrets, ["a/database-master"], ["a/controller"]) == [
        "secrets: a/database-master (id-of-a/database-master)"
    ]
