# SPDX-License-Identifier: GPL-3.0-or-later
"""The second life of a stack: made again beside what teardown kept, changed in all that can be, and emptied."""

from __future__ import annotations

import base64
import json
from collections import Counter

import pytest
import yaml
from botocore.exceptions import ClientError

from support.aws.account import FLOW_LOGS_ROLE, IMAGING_ROLE
from support.aws.life import BOUNDARY, COPIES, DICOM, MADE, Lifecycle, named, only, own
from support.aws.listing import tags

pytestmark = pytest.mark.long


class TestCreateAfterTeardown:
    def test_makes_everything_with_the_key_that_was_kept(self, lifecycle: Lifecycle) -> None:
        revived = lifecycle.revived
        revived.run.ok()
        assert revived.more["key"]["Arn"] == lifecycle.created.more["key"]["Arn"]
        made = MADE - Counter(instances=1, volumes=1, addresses=1, alarms=2)
        made += Counter(db_snapshots=1, security_groups=1, vpc_endpoints=1)
        made += Counter(backup_vaults=1, backup_plans=1, iam_roles=1)
        made += Counter(alarms=1)  # of the certificates
        assert Counter(thing.kind for thing in revived.things if thing.stack == "orthweb") == made

    def test_leaves_somebody_elses_vpc_of_the_same_name_alone(self, lifecycle: Lifecycle) -> None:
        theirs, revived = lifecycle.revived.more["theirs"], lifecycle.revived
        vpc = only(own(revived, "vpcs"))["VpcId"]
        assert vpc != theirs
        assert {each["VpcId"] for each in own(revived, "subnets")} == {vpc}
        for step in (revived, lifecycle.emptied):
            assert theirs in {each["VpcId"] for each in step.raw["vpcs"]}
            assert len([each for each in step.raw["subnets"] if each["VpcId"] == theirs]) == 1
            groups = [each["GroupName"] for each in step.raw["security_groups"] if each["VpcId"] == theirs]
            assert sorted(groups) == ["default", "orthweb-imaging"]


def test_hosts_stay_open_for_the_time_of_a_move(lifecycle: Lifecycle) -> None:
    revived = lifecycle.revived  # with aws_network_direct_access, and no controller by SSH
    imaging, balancer = (named(revived, "security_groups", f"orthweb-{name}") for name in ("imaging", "balancer"))
    (dicom,) = [rule for rule in imaging["IpPermissions"] if rule["FromPort"] == 11112]
    assert {each["CidrIp"] for each in dicom["IpRanges"]} == {DICOM}
    assert [each["GroupId"] for each in dicom["UserIdGroupPairs"]] == [balancer["GroupId"]]


def test_by_systems_manager_port_22_is_closed_whatever_the_ranges_say(lifecycle: Lifecycle) -> None:
    imaging = named(lifecycle.revived, "security_groups", "orthweb-imaging")
    assert {rule["FromPort"] for rule in imaging["IpPermissions"]} == {443, 8042, 11112}


def test_a_host_that_is_reached_by_systems_manager_is_told_to_install_its_agent(lifecycle: Lifecycle) -> None:
    (host,) = own(lifecycle.revived, "instances")
    ec2 = lifecycle.account.client("ec2")
    said = ec2.describe_instance_attribute(InstanceId=host["InstanceId"], Attribute="userData")["UserData"]["Value"]
    given = yaml.safe_load(base64.b64decode(said))
    agent = "https://s3.us-east-1.amazonaws.com/amazon-ssm-us-east-1/latest/debian_amd64/amazon-ssm-agent.deb"
    assert agent in given["write_files"][0]["content"]


class TestMoveToAndFromALoadBalancer:
    def test_one_host_has_one_if_asked(self, lifecycle: Lifecycle) -> None:
        said = lifecycle.revived.more["balancer"]
        (host,) = own(lifecycle.revived, "instances")
        assert said["targets"] == {f"orthweb-{port}": [host["InstanceId"]] for port in (11112, 443, 8042)}

    def test_goes_with_its_name_and_the_host_is_open_again(self, lifecycle: Lifecycle) -> None:
        changed = lifecycle.changed
        name = only(lifecycle.revived.raw["load_balancers"])["DNSName"]
        assert f"the load balancer {name} is removed" in changed.run.ok().message
        assert changed.raw["load_balancers"] == changed.raw["target_groups"] == []
        assert "orthweb-balancer" not in {each["GroupName"] for each in own(changed, "security_groups")}
        imaging = named(changed, "security_groups", "orthweb-imaging")
        assert not any(rule["UserIdGroupPairs"] for rule in imaging["IpPermissions"])
        assert {rule["FromPort"] for rule in imaging["IpPermissions"]} == {22, 443, 8042, 11112}
        (host,) = own(changed, "instances")
        assert tags(host["Tags"])["orthweb:server-name"] == ""


class TestBackupPlan:
    """With what calls it makes; what is in it: test_backup.py."""

    def test_follows_its_settings(self, lifecycle: Lifecycle) -> None:
        for step, schedule, days, copies in (
            (lifecycle.revived, "cron(0 6 ? * * *)", 35, []),
            (lifecycle.changed, "cron(30 7 ? * * *)", 14, [(COPIES, 35)]),
        ):
            (rule,) = step.more["backup_rules"]
            assert (rule["ScheduleExpression"], rule["Lifecycle"]["DeleteAfterDays"]) == (schedule, days)
            there = rule.get("CopyActions", [])
            assert [
                (each["DestinationBackupVaultArn"], each["Lifecycle"]["DeleteAfterDays"]) for each in there
            ] == copies


class TestControllersFolder:
    def test_is_copied_again_when_it_has_changed(self, lifecycle: Lifecycle) -> None:
        changed = lifecycle.changed
        changed.run.ok()
        assert "pki-of-many-modalities" in changed.more["folder"]
        assert changed.more["copy"] == changed.more["folder"]
        secrets = {thing.name for thing in changed.things if thing.kind == "secrets" and thing.stack == "orthweb"}
        assert {"orthweb/controller", "orthweb/controller-2"} <= secrets

    def test_of_a_controller_that_has_not_seen_that_is_refused(self, lifecycle: Lifecycle) -> None:
        outdated = lifecycle.outdated
        outdated.run.failed()
        assert "Another controller has written the copy" in outdated.run.message
        assert "they differ in pki-of-many-modalities" in outdated.run.message
        assert outdated.run.writes == []


class TestPermissionsBoundary:
    def test_roles_are_made_with_it_where_an_organisation_insists(self, lifecycle: Lifecycle) -> None:
        assert lifecycle.revived.more["boundaries"] == {IMAGING_ROLE: BOUNDARY, FLOW_LOGS_ROLE: BOUNDARY}
        iam = lifecycle.account.client("iam")
        with pytest.raises(ClientError, match="not authorized to perform: iam:CreateRole"):
            iam.create_role(RoleName="without", AssumeRolePolicyDocument="{}")

    def test_what_somebody_changed_is_put_right(self, lifecycle: Lifecycle) -> None:
        lifecycle.changed.run.ok()
        assert lifecycle.changed.more["boundaries"] == {IMAGING_ROLE: BOUNDARY, FLOW_LOGS_ROLE: BOUNDARY}


class TestTeardownOfEverything:
    def test_fails_with_the_name_of_a_bucket_that_is_not_empty(self, lifecycle: Lifecycle) -> None:
        stopped = lifecycle.bucket_in_the_way
        stopped.run.failed()
        assert "buckets: orthweb-made-by-hand" in stopped.run.message
        assert "orthweb_empty_buckets: true" in stopped.run.message
        assert {thing.kind for thing in stopped.things if thing.stack == "orthweb"} == {"buckets"}

    def test_empties_it_when_asked_and_nothing_is_left(self, lifecycle: Lifecycle) -> None:
        emptied = lifecycle.emptied
        emptied.run.ok()
        assert {thing for thing in emptied.things if thing.stack == "orthweb"} == set()
        assert not emptied.more["folder_is_there"]
        key = lifecycle.account.client("kms").describe_key(KeyId=lifecycle.created.more["key"]["KeyId"])["KeyMetadata"]
        assert key["KeyState"] == "PendingDeletion"

    def test_the_log_has_all_of_it(self, lifecycle: Lifecycle) -> None:
        actions = {json.loads(line)["action"] for line in lifecycle.log.read_text().splitlines()}
        assert {"CreateVpc", "CreateDBInstance", "RunInstances", "DeleteVpc", "TerminateInstances"} <= actions
