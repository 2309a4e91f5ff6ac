# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad days of AWS: what passes is waited for, what does not is said once, and the next run goes on from there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from support.aws import given
from support.aws.account import Account, Run, free_port, role
from support.aws.life import RANGES
from support.aws.listing import TAG, things
from support.aws.proxy import Fault, Proxy

pytestmark = pytest.mark.long

# What RDS says to an account that never had a database, and Secrets Manager of one that was deleted at once.
NO_ROLE_YET = (
    "Unable to create the resource. Verify that you have permission to create service linked role. Otherwise wait and "
    "try again later"
)
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPMzXTXmMTn1wY2hXoYtYcTsZ1qvqQn9qJ1V5cDOZq0o"
NAME_HELD = "You can't create this secret because a secret with this name is already scheduled for deletion."


@contextmanager
def faulty(account: Account, *faults: Fault) -> Iterator[None]:
    with Proxy(free_port(), account.url, *faults) as proxy:
        account.seen_at = proxy.url
        try:
            yield
        finally:
            account.seen_at = account.url


def ours(account: Account) -> Counter[str]:
    return Counter(thing.kind for thing in things(account) if thing.stack == "orthweb")


def subnets(account: Account) -> list[dict[str, Any]]:
    return account.every("ec2", "describe_subnets", "Subnets", Filters=[{"Name": "tag-key", "Values": [TAG]}])


def explanations(run: Run) -> list[str]:
    """What was said about each failure, for the person at 3 a.m."""
    said = re.findall(r'"[^"]+" failed: .*?it continues from here\.', run.message)
    assert said, run.output[-6000:]
    return said


class TestProvision:
    """One stack; each test goes on where the one before it failed."""

    @staticmethod
    def provision(account: Account) -> Run:
        return account.play("provision", **RANGES, __aws_database_role_seconds=1)

    def test_no_vpc_left_in_the_account(self, account: Account) -> None:
        account.post("/rehearsal/settings", {"database_seconds": 3600, "not_offered": "us-east-1a t3.medium"})
        given.key_without_alias(account)  # of a run that ended between the two: no other is made
        limit = Fault("ec2:CreateVpc", "VpcLimitExceeded", "The maximum number of VPCs has been reached.")
        with faulty(account, limit):
            run = self.provision(account).failed()
        assert limit.used == 1
        (said,) = explanations(run)
        assert '"own_vpc | Make the VPC" failed: ' in said
        assert "The maximum number of VPCs has been reached." in said
        assert "What exists now: 1 kms key." in said
        assert "The account has no VPC left (5 a region by default); request more in Service Quotas, or set" in said
        assert ours(account) == Counter(kms_keys=1)

    def test_bad_day_is_waited_out_until_the_credentials_expire(self, account: Account) -> None:
        """After the failure above: what passes is waited for, and nothing is there twice."""
        faults = [
            Fault("ec2:CreateVpc", "RequestLimitExceeded", "Request limit exceeded.", 503, times=3),
            Fault("ec2:DescribeSubnets", "RequestLimitExceeded", "Request limit exceeded.", 503, times=2, skip=1),
            Fault("ec2:CreateSubnet", "InternalError", "An internal error has occurred", 500, times=1, skip=2),
            Fault("iam:CreateRole", "ServiceFailure", "It failed.", 500, times=1),
            Fault("logs:CreateLogGroup", "ServiceUnavailableException", "It is not there.", 503, times=1),
            # What was made is not known everywhere at once.
            Fault("ec2:AttachInternetGateway", "InvalidInternetGatewayID.NotFound", times=1),
            Fault("ec2:DescribeSecurityGroups", "InvalidGroup.NotFound", times=2, after="ec2:CreateSecurityGroup"),
            Fault("ec2:AuthorizeSecurityGroupIngress", "InvalidGroup.NotFound", times=1),
            Fault("ec2:CreateRoute", "InvalidRouteTableID.NotFound", times=1),
            Fault("iam:PutRolePolicy", "NoSuchEntity", times=1),
            Fault("ec2:CreateFlowLogs", "InvalidParameter", "Access Denied for LogDestination", times=1),
            Fault("rds:CreateDBInstance", "InvalidParameterValue", NO_ROLE_YET, times=1),
            Fault("secretsmanager:CreateSecret", "InvalidRequestException", NAME_HELD, times=1),
            # What one may not ask for is not judged.
            Fault("servicequotas:GetServiceQuota", "AccessDeniedException", "You are not authorized", times=2),
        ]
        expired = Fault("", "ExpiredToken", "The security token included in the request is expired", 403)
        expired.after, expired.armed = "ec2:ImportKeyPair", False
        with faulty(account, *faults, expired):
            run = self.provision(account).failed()
        assert {fault.action: fault.used for fault in faults} == {fault.action: fault.times for fault in faults}
        assert "in part, as these credentials lack servicequotas:GetServiceQuota" in run.output
        # The first zones that offer the type.
        assert {each["AvailabilityZone"] for each in subnets(account)} == {"us-east-1b", "us-east-1c"}
        (said,) = explanations(run)
        assert "The credentials have expired; get new ones (for SSO, aws sso login)." in said
        assert "What exists now: unknown, as AWS did not answer that either." in said
        assert ours(account) == Counter(
            kms_keys=1,
            vpcs=1,
            subnets=4,
            internet_gateways=1,
            route_tables=2,
            vpc_endpoints=1,
            network_acls=1,
            security_groups=2,
            flow_logs=1,
            iam_roles=1,
            log_groups=3,  # of the flow log, and two of the database
            secrets=2,
            db_parameter_groups=1,
            db_subnet_groups=1,
            db_instances=1,
            key_pairs=1,
        )

    def test_instance_that_does_not_start(self, account: Account) -> None:
        account.post("/rehearsal/settings", {"instance_fails": True})
        run = self.provision(account).failed()
        (said,) = explanations(run)
        assert '"hosts | Check that the hosts run" failed: orthweb-imaging-1 (i-' in said
        assert "is terminated instead of running: Client.InternalError: Client error on launch" in said
        assert "The instance did not start." in said
        assert "1 instance profile, " in said
        assert "1 instance," not in said

    def test_no_address_left_in_the_account(self, account: Account) -> None:
        # That all zones offer the type from now on does not move the stack.
        account.post("/rehearsal/settings", {"instance_fails": False, "not_offered": ""})
        limit = Fault(
            "ec2:AllocateAddress", "AddressLimitExceeded", "The maximum number of addresses has been reached."
        )
        with faulty(account, limit):
            run = self.provision(account).failed()
        (said,) = explanations(run)
        assert '"hosts | Give the hosts fixed addresses" failed: ' in said
        assert "The maximum number of addresses has been reached." in said
        assert "The account has no Elastic IP left (5 a region by default)" in said
        assert "1 instance," in said
        assert ours(account)["instances"] == 1
        assert {each["AvailabilityZone"] for each in subnets(account)} == {"us-east-1b", "us-east-1c"}

    def test_next_run_reaches_the_goal(self, account: Account) -> None:
        """It takes the address that a run before could no longer give to the host.

        It leaves a database alone that RDS is still making: it has no endpoint until then.
        """
        tags = [{"Key": "orthweb:stack", "Value": "orthweb"}, {"Key": "Name", "Value": "orthweb-imaging-1"}]
        kind = [{"ResourceType": "elastic-ip", "Tags": tags}]
        left = account.client("ec2").allocate_address(TagSpecifications=kind)["PublicIp"]
        account.post("/rehearsal/settings", {"address_seconds": 3})
        # The address had another host, whose key SSH has kept, and so has another address.
        known = account.state / "orthweb" / "ssh" / "known_hosts"
        known.write_text(f"{left} {HOST_KEY}\n192.0.2.1 {HOST_KEY}\n")
        run = self.provision(account).ok()
        there = ours(account)
        assert [there[kind] for kind in ("instances", "volumes", "addresses", "vpcs", "db_instances")] == [1] * 5
        (address,) = account.every("ec2", "describe_addresses", "Addresses")
        assert address["PublicIp"] == left
        assert address["InstanceId"]
        assert "RDS is still creating orthweb" in run.output
        assert run.writes == ["ec2:AssociateAddress", "secretsmanager:CreateSecret"]
        assert known.read_text() == f"192.0.2.1 {HOST_KEY}\n"


class TestHostsAreNotFound:
    def test_is_not_taken_for_success(self, account: Account) -> None:
        """An inventory that cannot be read is only a warning to Ansible, and no host would be configured."""
        refused = Fault("ec2:DescribeInstances", "UnauthorizedOperation", "You are not authorized", 403)
        with faulty(account, refused):
            run = account.play("provision", "--start-at-task", "Read the inventory again").failed()
        assert "The inventory has 0 hosts of the stack orthweb, but there should be 1" in run.message
        assert refused.used > 1


class TestDatabase:
    WAIT = [role("aws_database", "wait")]

    def test_incompatible_parameters(self, account: Account) -> None:
        account.reset()
        account.post("/rehearsal/settings", {"database_ends_in": "incompatible-parameters"})
        given.database(account)
        run = account.play_tasks(self.WAIT).failed()
        assert 'The database orthweb is "incompatible-parameters"' in run.message
        assert "remove what you changed from aws_database_parameters, and reboot it" in run.message
        assert "Nothing was lost, and everything else is in place. When the database is" in run.message

    def test_next_run_goes_on_when_it_is_available(self, account: Account) -> None:
        account.post("/rehearsal/settings", {"database_ends_in": "available"})
        account.client("rds").reboot_db_instance(DBInstanceIdentifier="orthweb")
        throttled = Fault("rds:DescribeDBInstances", "Throttling", "Rate exceeded", times=2)
        with faulty(account, throttled):
            account.play_tasks(self.WAIT).ok()
        assert throttled.used == 2
        assert (account.state / "orthweb" / "rds-ca.pem").exists()
