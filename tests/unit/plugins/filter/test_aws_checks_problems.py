# SPDX-License-Identifier: GPL-3.0-or-later
"""All rules together, as the role asks for them: in one list, in a fixed order."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.filter.aws_checks import aws_problems

SUBNETS = [
    {"subnet_id": "subnet-1", "vpc_id": "vpc-1", "availability_zone": "us-east-1a"},
    {"subnet_id": "subnet-2", "vpc_id": "vpc-1", "availability_zone": "us-east-1b"},
]
VPC = {
    "cidr_block_association_set": [{"cidr_block": "10.77.0.0/16", "cidr_block_state": {"state": "associated"}}],
    "enable_dns_support": True,
    "enable_dns_hostnames": True,
}
TABLE = {
    "route_table_id": "rtb-1",
    "associations": [{"main": True}],
    "routes": [{"destination_cidr_block": "0.0.0.0/0", "gateway_id": "igw-1", "state": "active"}],
}


@pytest.fixture
def given() -> dict[str, Any]:
    return copy.deepcopy(
        {
            "refusal": "",
            "stack": "orthweb",
            "settings": {"orthweb_connect_by": "public"},
            "access": {
                "ranges": {"orthweb_dicom_ranges": ["198.51.100.0/24"]},
                "dicom_port": 11112,
                "portal_ports": [443, 8042],
                "connect_by": "public",
                "controller_address": "",
                "whole_internet_allowed": False,
            },
            "dicom_listeners": [{"port": "11112"}],
            "modalities": [{"name": "ct", "aet": "CT"}],
            "archive_aet": "ORTHANC",
            "acme": {},
            "network": {
                "cidr": "10.42.0.0/16",
                "docker_networks": ["172.17.0.0/16"],
                "vpc_id": "vpc-1",
                "public_subnet_ids": ["subnet-1"],
                "private_subnet_ids": ["subnet-1", "subnet-2"],
            },
            "instance_count": 1,
            "needs": {
                "instance_type": "t3.medium",
                "database": {"class": "db.t4g.medium", "storage_gb": 50, "multi_az": False},
                "balancer": {},
                "backup": {},
            },
            "log_days": {"aws_network_flow_log_days": 90},
            "permissions_boundary": "",
            "alarm_addresses": [],
            "database": {
                "storage": {"storage_gb": 50, "limit_gb": 500, "iops": "", "throughput": ""},
                "engine_version": "17",
                "major_upgrade": "",
            },
            "answers": {
                "region": "us-east-1",
                "role_names": ["orthweb_us-east-1-imaging"],
                "zones": {"wanted": [], "found": ["us-east-1a", "us-east-1b"], "used": ["us-east-1a", "us-east-1b"]},
                "images": {"images": [{"image_id": "ami-1"}], "names": "debian-*", "owner": "1"},
                "foreign": [],
                "databases": [],
                "going_databases": [],
                "going_keys": [],
                "account": "123456789012",
                "given_subnets": SUBNETS,
                "given_vpcs": [VPC],
                "given_tables": [TABLE],
                "limits": {
                    "offers": {"instance_type": ["us-east-1a"], "database_class": ["us-east-1b"]},
                    "vcpus": 2,
                    "quotas": {"vpcs": {"limit": 5, "used": 5}, "addresses": {"limit": 5, "used": 4}},
                    "denied": [],
                },
                "resources": {
                    "instances": [],
                    "addresses": [],
                    "vpcs": [],
                    "db_instances": [],
                    "iam_roles": [],
                    "kms_keys": [],
                    "backup_vaults": [],
                },
            },
        }
    )


def break_everything(given: dict[str, Any]) -> None:
    given["stack"] = "Bad_Name"
    given["settings"] = {"orthweb_connect_by": "carrier pigeon"}
    given["access"] |= {"ranges": {"orthweb_dicom_ranges": None}, "connect_by": "carrier pigeon"}
    given["dicom_listeners"].append({"port": 2762, "allowed": ["0.0.0.0/0"]})
    given["network"] |= {"cidr": "10.0.0.1/8"}
    given["instance_count"] = 0
    given["log_days"]["aws_network_flow_log_days"] = 91
    given["permissions_boundary"] = "boundary"
    given["alarm_addresses"] = ["nobody"]
    given["database"]["storage"]["storage_gb"] = 500
    given["needs"]["backup"] = {"plan": False, "copy_to": "arn"}
    given["modalities"] = "ct"
    given["answers"] |= {
        "role_names": ["x" * 65],
        "foreign": [{"kind": "key_pairs", "id": "key-1", "name": "theirs"}],
        "going_databases": [{"id": "db-1", "name": "orthweb"}],
        "given_subnets": SUBNETS[1:],
        "given_vpcs": [],
    }
    given["answers"]["zones"] |= {"wanted": ["us-east-1z"], "used": ["us-east-1z"]}
    given["answers"]["images"] |= {"images": []}


OF_SETTINGS = [
    'orthweb_stack is "Bad_Name"',
    'orthweb_connect_by is "carrier pigeon"',
    "orthweb_dicom_ranges is not set. It says who may send DICOM to port 11112",
    "orthweb_vpc_cidr: ",
    "orthweb_instance_count is 0",
    "aws_network_flow_log_days is 91",
    'orthweb_permissions_boundary is "boundary"',
    'orthweb_alarm_addresses has "nobody"',
    "orthweb_dicom_listeners, entry 2 (port 2762): allowed has 0.0.0.0/0",
    "orthweb_modalities must be a list of entries",
    "aws_backup_copy_to is set, but aws_backup_plan is false",
    "aws_database_storage_limit_gb is 500, and aws_database_storage_gb is 500",
]
OF_ANSWERS = [
    "orthweb_stack is too long for this region: the role xxx",
    "aws_survey_zones has us-east-1z",
    "RDS needs subnets in at least two zones",
    "There is no image debian-* of the account 1 in us-east-1",
    'The name "theirs" is taken',
    "RDS is still deleting the database orthweb",
    "There is no subnet subnet-1 in us-east-1.",
    "There is no subnet subnet-1 in us-east-1.",
    "orthweb_private_subnet_ids are all in one zone",
    "There is no VPC vpc-1 in us-east-1",
]


def begin_with(problems: list[str], beginnings: list[str]) -> bool:
    return len(problems) == len(beginnings) and all(map(str.startswith, problems, beginnings))


def test_what_is_right_is_silent(given: dict[str, Any]) -> None:
    assert aws_problems(given) == []


def test_everything_is_said_in_order(given: dict[str, Any]) -> None:
    break_everything(given)
    problems = aws_problems(given)
    assert begin_with(problems, [*OF_SETTINGS, *OF_ANSWERS]), problems


def test_refusal_comes_first_in_one_line_and_nothing_else_of_the_answers(given: dict[str, Any]) -> None:
    break_everything(given)
    given |= {"refusal": 'AWS did not answer "Look":\n  no   credentials. \n', "answers": {}}
    problems = aws_problems(given)
    assert begin_with(problems, ['AWS did not answer "Look": no credentials.', *OF_SETTINGS]), problems


def test_listener_that_is_wrong_is_not_looked_at_further(given: dict[str, Any]) -> None:
    given["dicom_listeners"].append({"port": 0, "allowed": ["0.0.0.0/0"]})
    [problem] = aws_problems(given)
    assert problem.startswith("orthweb_dicom_listeners, entry 2 (port 0): port is 0")


def test_listeners_may_be_open_if_that_is_meant(given: dict[str, Any]) -> None:
    given["dicom_listeners"].append({"port": 2762, "allowed": ["0.0.0.0/0"]})
    given["access"]["whole_internet_allowed"] = True
    assert aws_problems(given) == []


def test_the_account_is_asked_for_what_it_lacks(given: dict[str, Any]) -> None:
    """In a given VPC, hosts are where the public subnets are, and the database where the private ones are."""
    given["answers"]["limits"] |= {
        "offers": {"instance_type": ["us-east-1b"], "database_class": ["us-east-1c"]},
        "quotas": {"addresses": {"limit": 5, "used": 5}},
    }
    problems = aws_problems(given)
    assert begin_with(
        problems,
        [
            "orthweb_instance_type is t3.medium, which is not offered in us-east-1a: us-east-1 has it in us-east-1b.",
            "aws_database_class is db.t4g.medium, which RDS has to offer with this version of PostgreSQL on gp3 in at "
            "least one of the zones us-east-1a, us-east-1b: us-east-1 has it in us-east-1c.",
            "The quota of Elastic IPs in us-east-1 is 5, of which 5 are in use, and this stack needs 1 more.",
        ],
    ), problems


def test_without_a_given_vpc_the_zones_are_those_that_were_chosen(given: dict[str, Any]) -> None:
    given["network"] |= {"vpc_id": "", "public_subnet_ids": [], "private_subnet_ids": []}
    given["answers"] |= {"given_subnets": [], "given_vpcs": [], "given_tables": []}
    given["answers"]["zones"]["used"] = ["us-east-1b", "us-east-1a"]
    problems = aws_problems(given)
    assert begin_with(
        problems,
        [
            "orthweb_instance_type is t3.medium, which is not offered in us-east-1b: us-east-1 has it in us-east-1a.",
            "The quota of VPCs in us-east-1 is 5, of which 5 are in use, and this stack needs 1 more.",
        ],
    ), problems
