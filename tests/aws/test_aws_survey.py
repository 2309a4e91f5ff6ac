# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot work is refused before anything is touched, all of it in one run."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from support.aws import given
from support.aws.account import Account, Run
from support.aws.life import RANGES
from support.aws.listing import contents, things

NOTHING = "Nothing was changed. Please fix:"


@pytest.fixture(scope="module")
def bad(account: Account) -> Run:
    before = contents(account)
    run = account.play(
        "provision",
        orthweb_stack="Bad_Name",
        orthweb_dicom_ranges=None,
        orthweb_portal_ranges=["0.0.0.0/0", "203.0.113.7/24", "not a network", "::/0"],
        orthweb_controller_ranges=["0.0.0.0/0"],
        orthweb_connect_by="carrier pigeon",
        orthweb_instance_count=0,
        orthweb_permissions_boundary="boundary",
        orthweb_alarm_addresses=["it@clinic.example", "it@clinic.example", "the night shift"],
        orthweb_vpc_cidr="172.16.0.0/14",
        aws_survey_zones=["us-east-1a", "us-east-1z"],
        orthweb_public_subnet_ids=["subnet-1"],
        aws_survey_image_names="no-such-image-*",
        aws_network_flow_log_days=91,
        aws_instance_audit_log_days=1096,
        aws_database_storage_gb=1000,
    )
    assert contents(account) == before
    return run.failed()


@pytest.mark.parametrize(
    "problem",
    [
        'orthweb_stack is "Bad_Name": use 1 to 31 lowercase letters',
        "orthweb_dicom_ranges is not set. It says who may send DICOM to port 11112",
        "orthweb_portal_ranges has 0.0.0.0/0, which is the whole Internet. If that is intended, "
        "set orthweb_allow_the_whole_internet: true.",
        "203.0.113.7/24",
        "not a network",
        "::/0",
        "orthweb_controller_ranges: port 22 is never opened to the whole Internet",
        'orthweb_connect_by is "carrier pigeon": choose public, private or systems_manager.',
        "orthweb_instance_count is 0: use a number from 1 to 99.",
        'orthweb_permissions_boundary is "boundary": use the ARN of an IAM policy',
        'orthweb_alarm_addresses has "the night shift": use mail addresses',
        "orthweb_alarm_addresses has it@clinic.example more than once: remove one.",
        "orthweb_vpc_cidr is 172.16.0.0/14: a VPC for this stack has a prefix from /16 to /24.",
        "orthweb_vpc_cidr 172.16.0.0/14 overlaps 172.17.0.0/16, which Docker uses",
        "aws_survey_zones has us-east-1z; us-east-1 has us-east-1a",
        "There is no image no-such-image-*",
        "Subnets are set without orthweb_vpc_id",
        "aws_network_flow_log_days is 91: CloudWatch Logs keeps logs for 1, 3, 5,",
        "aws_instance_audit_log_days is 1096: CloudWatch Logs keeps logs for",
        "aws_database_storage_limit_gb is 500, and aws_database_storage_gb is 1000",
    ],
)
def test_every_problem_is_named_in_one_run(bad: Run, problem: str) -> None:
    assert NOTHING in bad.message
    assert problem in bad.message


def test_nothing_was_written(bad: Run) -> None:
    assert bad.calls
    assert bad.writes == []


def test_no_answer_is_one_clear_sentence_beside_what_was_given_wrong(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "seen_at", "http://127.0.0.1:26219")
    everybody = ["0.0.0.0/0"]
    settings = {
        "orthweb_portal_ranges": None,
        "orthweb_portal_port": 8443,
        "orthweb_orthanc_published": False,
        "orthweb_dicom_ranges": everybody,
        "orthweb_controller_ranges": everybody,
        "orthweb_allow_the_whole_internet": True,
    }
    run = account.play("provision", **settings).failed()
    assert NOTHING in run.message
    assert 'AWS did not answer "' in run.message
    assert "http://127.0.0.1:26219" in run.message
    assert "try `aws sts get-caller-identity`" in run.message
    assert "orthweb_portal_ranges is not set. It says who may open the portal (8443), as a list" in run.message
    assert "port 22 is never opened" in run.message
    assert "orthweb_dicom_ranges has" not in run.message


@contextmanager
def checkip(address: str) -> Iterator[str]:
    """Stands for checkip.amazonaws.com."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(address.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class TestGivenNetwork:
    @pytest.fixture(scope="class")
    @classmethod
    def network(cls, account: Account) -> dict[str, Any]:
        account.reset()
        return given.network(account)

    def test_wrong_subnets_and_a_database_that_is_being_deleted_are_refused(
        self, account: Account, network: dict[str, Any]
    ) -> None:
        given.database(account)
        account.post("/rehearsal/settings", {"deletion_seconds": 3600})
        account.client("rds").delete_db_instance(DBInstanceIdentifier="orthweb", SkipFinalSnapshot=True)
        ec2 = account.client("ec2")
        (default,) = account.every("ec2", "describe_vpcs", "Vpcs", Filters=[{"Name": "is-default", "Values": ["true"]}])
        filters = [
            {"Name": "vpc-id", "Values": [default["VpcId"]]},
            {"Name": "availability-zone", "Values": ["us-east-1a"]},
        ]
        other = ec2.describe_subnets(Filters=filters)["Subnets"][0]["SubnetId"]
        own = network["orthweb_private_subnet_ids"]
        missing = "subnet-0123456789abcdef0"
        wrong = {**network, "orthweb_private_subnet_ids": [own[0], other, missing]}
        # The subnet's own table leads out, and the VPC's main one nowhere.
        wrong["orthweb_public_subnet_ids"] = [*network["orthweb_public_subnet_ids"], own[1]]
        ec2.associate_vpc_cidr_block(VpcId=network["orthweb_vpc_id"], CidrBlock="172.18.0.0/20")
        ec2.modify_vpc_attribute(VpcId=network["orthweb_vpc_id"], EnableDnsSupport={"Value": False})
        account.post("/rehearsal/settings", {"not_offered": "us-east-1a t3.medium", "vcpus": 1})
        for _each in range(5):
            ec2.allocate_address()
        with checkip("203.0.113.7\n") as url:
            asked = {"aws_survey_address_url": url, "orthweb_controller_ranges": None}
            run = account.play("provision", **{**RANGES, **wrong, **asked}).failed()
        assert "this machine as 203.0.113.7: orthweb_controller_ranges: [203.0.113.7/32]." in run.message
        assert f"The subnet {other} is in {default['VpcId']}, not in {network['orthweb_vpc_id']}." in run.message
        assert re.findall(r"There is no subnet (\S+) in us-east-1\.", run.message) == [missing]
        assert "orthweb_private_subnet_ids are all in one zone; RDS needs two." in run.message
        vpc = network["orthweb_vpc_id"]
        assert (
            f"The VPC {vpc} has the range 172.18.0.0/20, which overlaps 172.18.0.0/16, which Docker uses" in run.message
        )
        assert re.findall(rf"The VPC {vpc} has (\w+) off", run.message) == ["enable_dns_support"]
        assert re.findall(r"The subnet (\S+) \S+ with the route table \S+ has no route to", run.message) == [own[1]]
        assert (
            "orthweb_instance_type is t3.medium, which is not offered in us-east-1a: us-east-1 has it in us-east-1b, "
            "us-east-1c, us-east-1d, us-east-1f." in run.message
        )
        assert re.findall(r"The quota of (.+?) in us-east-1 is (\d), of which (\d) are in use", run.message) == [
            ("Elastic IPs", "5", "5"),
            ("vCPUs of running on-demand instances (standard families)", "1", "0"),
        ]
        assert "RDS is still deleting the database orthweb of this stack" in run.message
        assert "aws rds wait db-instance-deleted --db-instance-identifier orthweb" in run.message
        assert run.writes == []

    def test_is_neither_changed_nor_torn_down(self, account: Account) -> None:
        account.reset()
        network = given.network(account)
        before = contents(account)
        run = account.play("provision", orthweb_rds=False, **RANGES, **network).ok()
        made = Counter(thing.kind for thing in things(account) if thing.stack == "orthweb")
        assert made == Counter(
            kms_keys=1,
            security_groups=2,
            key_pairs=1,
            iam_roles=1,
            instance_profiles=1,
            instances=1,
            volumes=1,
            addresses=1,
            log_groups=1,  # of the audit trail
            secrets=1,  # the copy of the controller's folder
        )
        assert not {write for write in run.writes if re.search("Vpc|Subnet|Route|Gateway|Flow", write)}
        for group in account.every("ec2", "describe_security_groups", "SecurityGroups"):
            if group["GroupName"] == "orthweb-imaging":
                assert group["VpcId"] == network["orthweb_vpc_id"]
                (database,) = [rule for rule in group["IpPermissionsEgress"] if rule["FromPort"] == 5432]
                assert {each["CidrIp"] for each in database["IpRanges"]} == {"10.77.1.0/24", "10.77.2.0/24"}
        (host,) = account.every("ec2", "describe_instances", "Reservations")
        assert host["Instances"][0]["SubnetId"] == network["orthweb_public_subnet_ids"][0]
        account.teardown(orthweb_audit_cloudwatch_kept=False, **RANGES).ok()
        assert contents(account) == before
