# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS is asked about offers and quotas. botocore's Stubber lets nothing pass that is not of AWS's own form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws import limits
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.stub import Stubber

ZONES = ("a", "b", "c")


def ask(
    question: Callable[..., Any], service: str, call: str, answer: dict[str, Any], *arguments: str, **asked: Any
) -> Any:
    client = boto3.client(service, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as aws:
        aws.add_response(call, answer, asked)
        return question(client, *arguments)


def test_zones_of_a_type() -> None:
    offered = [{"InstanceType": "t3.medium", "LocationType": "availability-zone", "Location": zone} for zone in "ba"]
    found = ask(
        limits._zones_of_type,
        "ec2",
        "describe_instance_type_offerings",
        {"InstanceTypeOfferings": offered},
        "t3.medium",
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": ["t3.medium"]}],
    )
    assert found == ["a", "b"]


def test_zones_of_a_class_in_this_major_version_on_gp3() -> None:
    def option(version: str, storage: str, *zones: str) -> dict[str, Any]:
        names = [{"Name": zone} for zone in zones]
        return {"EngineVersion": version, "StorageType": storage, "AvailabilityZones": names}

    options = [
        option("17.4", "gp3", "c", "a"),
        option("17.6", "gp3", "a"),
        option("16.10", "gp3", "d"),
        option("17.6", "gp2", "e"),
    ]
    found = ask(
        limits._zones_of_class,
        "rds",
        "describe_orderable_db_instance_options",
        {"OrderableDBInstanceOptions": options},
        "db.t4g.medium",
        "17",
        Engine="postgres",
        DBInstanceClass="db.t4g.medium",
        Vpc=True,
    )
    assert found == ["a", "c"]


def test_vcpus_in_use_are_those_of_the_common_quota() -> None:
    def instance(kind: str, cores: int, threads: int, **more: str) -> dict[str, Any]:
        return {"InstanceType": kind, "CpuOptions": {"CoreCount": cores, "ThreadsPerCore": threads}, **more}

    instances = [
        instance("t3.medium", 1, 2),
        instance("m7g.xlarge", 4, 1),
        instance("im4gn.large", 2, 1),
        instance("m5.large", 1, 2, InstanceLifecycle="spot"),
        instance("g5.xlarge", 2, 2),
        instance("inf1.xlarge", 2, 2),
        instance("trn1.2xlarge", 4, 2),
        instance("mac2.metal", 8, 1),
        instance("hpc7a.12xlarge", 24, 1),
        instance("dl1.24xlarge", 48, 2),
    ]
    filters = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    answer = {"Reservations": [{"Instances": instances[:2]}, {"Instances": instances[2:]}]}
    assert ask(limits._vcpus_in_use, "ec2", "describe_instances", answer, Filters=filters) == 2 + 4 + 2


def test_quota_and_limit_of_addresses() -> None:
    answer = {"Quota": {"Value": 5.0}}
    asked = {"ServiceCode": "vpc", "QuotaCode": "L-F678F1CE"}
    assert ask(limits._quota, "service-quotas", "get_service_quota", answer, *limits.VPCS, **asked) == 5
    attributes = [{"AttributeName": "vpc-max-elastic-ips", "AttributeValues": [{"AttributeValue": "12"}]}]
    for given, limit in ((attributes, 12), ([], None)):
        answer = {"AccountAttributes": given}
        assert ask(limits._addresses_limit, "ec2", "describe_account_attributes", answer) == limit


ANSWERS: dict[str, Any] = {
    "describe_instance_type_offerings": {"InstanceTypeOfferings": [{"Location": zone} for zone in ZONES]},
    "describe_instance_types": {"InstanceTypes": [{"VCpuInfo": {"DefaultVCpus": 2}}]},
    "describe_vpcs": {"Vpcs": [{}, {}]},
    "describe_addresses": {"Addresses": [{}]},
    "describe_instances": {"Reservations": []},
    "describe_account_attributes": {
        "AccountAttributes": [{"AttributeName": "vpc-max-elastic-ips", "AttributeValues": [{"AttributeValue": "5"}]}],
        "AccountQuotas": [
            {"AccountQuotaName": "DBInstances", "Used": 3, "Max": 40},
            {"AccountQuotaName": "AllocatedStorage", "Used": 70, "Max": 100_000},
            {"AccountQuotaName": "ManualSnapshots", "Used": 0, "Max": 100},
        ],
    },
    "describe_orderable_db_instance_options": {
        "OrderableDBInstanceOptions": [
            {"EngineVersion": "17.6", "StorageType": "gp3", "AvailabilityZones": [{"Name": "a"}]},
        ]
    },
    "get_service_quota": {"Quota": {"Value": 32.0}},
}
QUOTAS = {
    "vpcs": {"limit": 32, "used": 2},
    "addresses": {"limit": 5, "used": 1},
    "standard_vcpus": {"limit": 32, "used": 0},
    "databases": {"limit": 40, "used": 3},
    "database_storage_gb": {"limit": 100_000, "used": 70},
}


class Aws:
    """A client of every service; an answer that is an exception is raised."""

    def __init__(self, **changed: Any) -> None:
        self.answers = {**ANSWERS, **changed}

    def can_paginate(self, call: str) -> bool:
        return False

    def __getattr__(self, call: str) -> Callable[..., Any]:
        def answer(**_asked: Any) -> Any:
            told = self.answers[call]
            if isinstance(told, Exception):
                raise told
            return told

        return answer


def look(instance_type: str = "t3.medium", database_class: str = "db.t4g.medium", **changed: Any) -> dict[str, Any]:
    aws = Aws(**changed)
    return limits.limits(
        lambda service: aws, instance_type=instance_type, database_class=database_class, engine_version="17"
    )


def error(code: str, call: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "m"}}, call)


def test_all_of_it() -> None:
    assert look() == {
        "offers": {"instance_type": [*ZONES], "database_class": ["a"]},
        "vcpus": 2,
        "quotas": QUOTAS,
        "denied": [],
        "unreachable": [],
    }
    assert look(instance_type="g5.xlarge")["vcpus"] is None
    assert look(database_class="")["offers"]["database_class"] == []


def test_without_permissions_the_rest_is_told() -> None:
    found = look(
        get_service_quota=error("AccessDeniedException", "GetServiceQuota"),
        describe_orderable_db_instance_options=error("AccessDenied", "DescribeOrderableDBInstanceOptions"),
    )
    assert found["denied"] == ["rds:DescribeOrderableDBInstanceOptions", "servicequotas:GetServiceQuota"]
    assert found["offers"] == {"instance_type": [*ZONES], "database_class": None}
    assert set(found["quotas"]) == {"addresses", "databases", "database_storage_gb"}


def test_without_a_way_to_the_service_of_quotas_the_rest_is_told() -> None:
    found = look(get_service_quota=EndpointConnectionError(endpoint_url="https://servicequotas.example"))
    assert (found["denied"], found["unreachable"]) == ([], ["servicequotas"])
    assert set(found["quotas"]) == {"addresses", "databases", "database_storage_gb"}


def test_what_there_is_not_is_no_error() -> None:
    found = look(
        describe_instance_types=error("InvalidInstanceType", "DescribeInstanceTypes"),
        get_service_quota=error("NoSuchResourceException", "GetServiceQuota"),
    )
    assert (found["vcpus"], found["denied"]) == (None, [])
    assert "vpcs" not in found["quotas"]


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (error("ExpiredToken", "DescribeVpcs"), "AWS does not accept these credentials"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), "http://127.0.0.1:9"),
    ],
)
def test_any_other_error_is_said(failure: Exception, says: str) -> None:
    with pytest.raises(limits.LimitsError, match="Looking for what the account can have") as told:
        look(describe_vpcs=failure)
    assert says in str(told.value)
