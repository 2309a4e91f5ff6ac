# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM belongs to the account: stacks of one name in two regions, and one whose roles an earlier version named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.aws.account import FLOW_LOGS_ROLE, IMAGING_ROLE, REGION, Account, Run, role
from support.aws.given import OURS
from support.aws.life import RANGES

pytestmark = pytest.mark.long

OTHER = "eu-west-1"
# What has to do with roles, and what says that it may be made.
TASKS = [
    role("aws_database", "needs"),
    role("aws_survey"),
    role("aws_network", "flow_log"),
    role("aws_instance", "role"),
]
FORMER = {"orthweb-imaging": "audit", "orthweb-flow-logs": "flow-logs"}


def in_region(account: Account, region: str) -> dict[str, Any]:
    """The variables with which a playbook runs there."""
    environment = {
        "AWS_ENDPOINT_URL": account.url,
        "AWS_ACCESS_KEY_ID": "notreal",
        "AWS_SECRET_ACCESS_KEY": "notreal0123456789",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return {"aws_environment": environment}


def deployed(account: Account, region: str = REGION) -> Run:
    ec2 = account.client("ec2", region)
    filters = [{"Name": "tag:orthweb:stack", "Values": ["orthweb"]}]
    there = [each["VpcId"] for each in ec2.describe_vpcs(Filters=filters)["Vpcs"]]
    tags = [{"ResourceType": "vpc", "Tags": [*OURS, {"Key": "Name", "Value": "orthweb"}]}]
    vpc = there[0] if there else ec2.create_vpc(CidrBlock="10.42.0.0/16", TagSpecifications=tags)["Vpc"]["VpcId"]
    return account.play_tasks(TASKS, **RANGES, **in_region(account, region), aws_network_ids={"vpc": vpc}).ok()


def ours(account: Account) -> set[str]:
    """The roles and profiles of the stack, in whichever region."""
    iam = account.client("iam")
    roles = [each["RoleName"] for each in account.every("iam", "list_roles", "Roles")]
    found = {name for name in roles if iam.list_role_tags(RoleName=name)["Tags"] == OURS}
    return found | {
        each["InstanceProfileName"] for each in account.every("iam", "list_instance_profiles", "InstanceProfiles")
    }


def flow_logs_use(account: Account, region: str = REGION) -> list[str]:
    found = account.client("ec2", region).describe_flow_logs()["FlowLogs"]
    return [each["DeliverLogsPermissionArn"].rpartition("/")[2] for each in found]


class TestTwoOfOneName:
    @pytest.fixture(scope="class")
    @classmethod
    def runs(cls, account: Account) -> list[Run]:
        return [deployed(account), deployed(account, OTHER)]

    def test_each_has_roles_of_its_own(self, account: Account, runs: list[Run]) -> None:
        there = {name.replace(REGION, OTHER) for name in (IMAGING_ROLE, FLOW_LOGS_ROLE)}
        assert ours(account) == {IMAGING_ROLE, FLOW_LOGS_ROLE} | there
        assert flow_logs_use(account) == [FLOW_LOGS_ROLE]
        assert flow_logs_use(account, OTHER) == [FLOW_LOGS_ROLE.replace(REGION, OTHER)]
        for name, region in ((IMAGING_ROLE, REGION), (IMAGING_ROLE.replace(REGION, OTHER), OTHER)):
            policy = account.client("iam").get_role_policy(RoleName=name, PolicyName="write-audit-trail")
            assert f":logs:{region}:" in json.dumps(policy["PolicyDocument"])

    def test_none_is_in_the_others_way(self, runs: list[Run]) -> None:
        assert "WARNING" not in runs[1].message

    def test_a_further_run_writes_nothing(self, account: Account, runs: list[Run]) -> None:
        assert deployed(account).writes == []

    def test_teardown_of_one_leaves_the_others_roles_and_the_folder(self, account: Account, runs: list[Run]) -> None:
        folder = account.state / "orthweb"
        folder.mkdir(parents=True, exist_ok=True)
        run = account.teardown(**in_region(account, OTHER)).ok()
        assert ours(account) == {IMAGING_ROLE, FLOW_LOGS_ROLE}
        assert account.client("ec2", OTHER).describe_flow_logs()["FlowLogs"] == []
        assert f"{FLOW_LOGS_ROLE}, {IMAGING_ROLE}. So it is in {REGION}, too: they and this" in run.message
        assert folder.exists()

    def test_the_last_one_takes_the_folder_with_it(self, account: Account, runs: list[Run]) -> None:
        run = account.teardown().ok()
        assert ours(account) == set()
        assert "that are not of this region" not in run.message
        assert not (account.state / "orthweb").exists()


class TestOfAnEarlierVersion:
    """Without a region in the names of its roles. Another name would take the profile away from hosts that run."""

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, account: Account) -> Run:
        account.reset()
        iam = account.client("iam")
        for name, group in FORMER.items():
            iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}", Tags=OURS)
            resource = f"arn:aws:logs:{REGION}:123456789012:log-group:/orthweb/orthweb/{group}:*"
            statement = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": resource}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            iam.put_role_policy(RoleName=name, PolicyName="write", PolicyDocument=policy)
        iam.create_instance_profile(InstanceProfileName="orthweb-imaging", Tags=OURS)
        iam.add_role_to_instance_profile(InstanceProfileName="orthweb-imaging", RoleName="orthweb-imaging")
        return deployed(account)

    def test_roles_keep_their_names(self, account: Account, run: Run) -> None:
        assert ours(account) == set(FORMER)
        assert flow_logs_use(account) == ["orthweb-flow-logs"]
        assert deployed(account).writes == []

    def test_in_another_region_it_has_its_own(self, account: Account, run: Run) -> None:
        deployed(account, OTHER)
        there = {name.replace(REGION, OTHER) for name in (IMAGING_ROLE, FLOW_LOGS_ROLE)}
        assert ours(account) == set(FORMER) | there

    def test_they_go_at_teardown(self, account: Account, run: Run) -> None:
        account.teardown(**in_region(account, OTHER)).ok()
        assert ours(account) == set(FORMER)
        account.teardown().ok()
        assert ours(account) == set()
