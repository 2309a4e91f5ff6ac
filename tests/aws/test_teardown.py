# SPDX-License-Identifier: GPL-3.0-or-later
"""Teardown of half a stack, among things of other people that have our names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.aws import disturb, given
from support.aws.account import FLOW_LOGS_ROLE, IMAGING_ROLE, REGION, Account, Run
from support.aws.disturb import somebody_elses_vpc
from support.aws.given import OURS
from support.aws.life import RANGES
from support.aws.listing import Thing, things

ASSUME = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)

WRITE = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}]}
)


def somebody_elses_things(account: Account) -> None:
    """One of each kind, all with our names and none with our tag."""
    somebody_elses_vpc(account)
    ec2, iam, rds = (account.client(service) for service in ("ec2", "iam", "rds"))
    ec2.create_key_pair(KeyName="orthweb")
    subnets = [each["SubnetId"] for each in account.every("ec2", "describe_subnets", "Subnets")]
    rds.create_db_subnet_group(DBSubnetGroupName="orthweb", DBSubnetGroupDescription="theirs", SubnetIds=subnets)
    rds.create_db_parameter_group(
        DBParameterGroupName="orthweb-postgres17", DBParameterGroupFamily="postgres17", Description="theirs"
    )
    given.database(account, tags=[])
    iam.create_role(RoleName=IMAGING_ROLE, AssumeRolePolicyDocument=ASSUME)
    iam.create_instance_profile(InstanceProfileName=IMAGING_ROLE)
    secrets = account.client("secretsmanager")
    for name in ("orthweb/database-master", "orthweb/database-orthanc"):
        secrets.create_secret(Name=name, SecretString="theirs")
    account.client("logs").create_log_group(logGroupName="/orthweb/orthweb/flow-logs")
    kms = account.client("kms")
    kms.create_alias(AliasName="alias/orthweb", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    address = ec2.allocate_address()["AllocationId"]
    name = {"Key": "Name", "Value": "orthweb-imaging-1"}
    ec2.create_tags(Resources=[address], Tags=[name, {"Key": "orthweb:stack", "Value": "orthweb2"}])


@pytest.fixture(scope="module")
def theirs(account: Account) -> set[Thing]:
    somebody_elses_things(account)
    return things(account)


class TestOurNamesTaken:
    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, account: Account, theirs: set[Thing]) -> Run:
        return account.play("provision", **RANGES).failed()

    @pytest.mark.parametrize(
        "what",
        [
            '"orthweb" is taken: key pairs',
            '"orthweb" is taken: db instances',
            '"orthweb" is taken: db subnet groups',
            '"orthweb-postgres17" is taken: db parameter groups',
            f'"{IMAGING_ROLE}" is taken: iam roles',
            f'"{IMAGING_ROLE}" is taken: instance profiles',
            '"orthweb/database-master" is taken: secrets',
            '"orthweb/database-orthanc" is taken: secrets',
            '"/orthweb/orthweb/flow-logs" is taken: log groups',
            '"alias/orthweb" is taken: kms keys',
        ],
    )
    def test_each_is_named(self, run: Run, what: str) -> None:
        assert what in run.message
        assert "so it is not ours. Choose another orthweb_stack." in run.message

    def test_nothing_was_written(self, run: Run, account: Account, theirs: set[Thing]) -> None:
        assert run.writes == []
        assert things(account) == theirs

    def test_teardown_finds_nothing(self, account: Account, theirs: set[Thing]) -> None:
        run = account.teardown().ok()
        assert "Nothing in this region has the tag orthweb:stack=orthweb." in run.output
        assert run.writes == []
        assert things(account) == theirs


def half_a_stack(account: Account) -> None:
    """What a run that was killed, and somebody with the console afterwards, may have left."""
    ec2, iam, rds = (account.client(service) for service in ("ec2", "iam", "rds"))

    def tagged(kind: str, name: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": [*OURS, {"Key": "Name", "Value": name}]}]

    vpc = ec2.create_vpc(CidrBlock="10.42.0.0/16", TagSpecifications=tagged("vpc", "orthweb"))["Vpc"]["VpcId"]
    # A gateway that is attached to nothing, and a route table whose subnets were deleted.
    ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway", "orthweb"))
    ec2.create_route_table(VpcId=vpc, TagSpecifications=tagged("route-table", "orthweb-private"))
    zones = {
        zone: ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.42.{number}.0/24",
            AvailabilityZone=f"us-east-1{zone}",
            TagSpecifications=tagged("subnet", f"orthweb-private-us-east-1{zone}"),
        )["Subnet"]["SubnetId"]
        for number, zone in enumerate("ab")
    }
    groups = {
        name: ec2.create_security_group(
            VpcId=vpc,
            GroupName=f"orthweb-{name}",
            Description="ours",
            TagSpecifications=tagged("security-group", f"orthweb-{name}"),
        )["GroupId"]
        for name in ("imaging", "database")
    }
    ec2.authorize_security_group_ingress(
        GroupId=groups["database"],
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 5432,
                "ToPort": 5432,
                "UserIdGroupPairs": [{"GroupId": groups["imaging"]}],
            }
        ],
    )
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-13-amd64-*"]}])["Images"][0]["ImageId"]
    tags = tagged("instance", "orthweb-imaging-1") + tagged("volume", "orthweb-imaging-1")
    started = ec2.run_instances(
        ImageId=image,
        MinCount=2,
        MaxCount=2,
        InstanceType="t3.medium",
        SubnetId=zones["a"],
        SecurityGroupIds=[groups["imaging"]],
        TagSpecifications=tags,
    )["Instances"]
    # Somebody has stopped one, and terminated the other.
    ec2.describe_instances()
    ec2.stop_instances(InstanceIds=[started[0]["InstanceId"]])
    ec2.terminate_instances(InstanceIds=[started[1]["InstanceId"]])
    # An address of nobody, and a volume that an instance left behind.
    ec2.allocate_address(TagSpecifications=tagged("elastic-ip", "orthweb-imaging-2"))
    ec2.create_volume(Size=1, AvailabilityZone="us-east-1a", TagSpecifications=tagged("volume", "orthweb-imaging-2"))
    # A role without its profile, a profile without its role.
    iam.create_role(RoleName=FLOW_LOGS_ROLE, AssumeRolePolicyDocument=ASSUME, Tags=OURS)
    iam.put_role_policy(RoleName=FLOW_LOGS_ROLE, PolicyName="write", PolicyDocument=WRITE)
    iam.create_instance_profile(InstanceProfileName=IMAGING_ROLE, Tags=OURS)
    # What a database stood on, and one of its passwords.
    rds.create_db_subnet_group(
        DBSubnetGroupName="orthweb", DBSubnetGroupDescription="ours", SubnetIds=list(zones.values()), Tags=OURS
    )
    account.client("secretsmanager").create_secret(Name="orthweb/database-master", SecretString="{}", Tags=OURS)
    # A key that lost its alias.
    account.client("kms").create_key(Tags=[{"TagKey": "orthweb:stack", "TagValue": "orthweb"}])


class TestHalfAStack:
    def test_all_of_it_goes_and_nothing_else(self, account: Account) -> None:
        account.reset()
        ec2 = account.client("ec2")
        somebody_elses_vpc(account)
        ec2.create_key_pair(KeyName="orthweb")
        ec2.create_security_group(GroupName="orthweb-database", Description="in the default VPC")
        account.client("s3").create_bucket(Bucket="orthweb")
        before = things(account)
        half_a_stack(account)
        assert things(account) > before
        run = account.teardown(orthweb_rds_final_snapshot=False).ok()
        assert things(account) == before
        assert run.changed > 0
        # docs/aws.md: with our policy alone, a key without its alias stays.
        (nameless,) = account.refused
        assert nameless.startswith("kms:ScheduleKeyDeletion on ")
        account.refused.clear()


@pytest.mark.long
class TestAnotherRegion:
    """IAM belongs to the account: a role whose name has no region may be that of hosts in another region."""

    def test_keeps_the_roles_and_the_folder(self, account: Account) -> None:
        account.reset()
        iam, kms = account.client("iam"), account.client("kms")
        iam.create_role(RoleName="orthweb-imaging", AssumeRolePolicyDocument=ASSUME, Tags=OURS)
        key = kms.create_key(Tags=[{"TagKey": "orthweb:stack", "TagValue": "orthweb"}])["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName="alias/orthweb", TargetKeyId=key)
        folder = account.state / "orthweb"
        folder.mkdir(parents=True, exist_ok=True)
        run = account.teardown().ok()
        assert "WARNING: The stack orthweb has roles in the account" in run.output
        assert "orthweb-imaging. So it is in another region, too" in run.message
        assert run.writes == ["kms:ScheduleKeyDeletion"]
        assert folder.exists()


def an_instance(account: Account) -> None:
    ec2 = account.client("ec2")
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-13-amd64-*"]}])["Images"][0]["ImageId"]
    tagged = [{"ResourceType": "instance", "Tags": [*OURS, {"Key": "Name", "Value": "orthweb-imaging-1"}]}]
    ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=tagged)


@pytest.mark.long
class TestAKeyThatSomethingNeeds:
    """Whatever has no tag: RDS copies none if somebody has switched that off, nor do people to their own snapshots."""

    @pytest.fixture(scope="class")
    @classmethod
    def key(cls, account: Account) -> str:
        account.reset()
        account.post("/rehearsal/settings", {"deletion_seconds": 2})
        tags = [{"TagKey": "orthweb:stack", "TagValue": "orthweb"}]
        allowed = {"Effect": "Allow", "Principal": {"Service": f"logs.{REGION}.amazonaws.com"}, "Action": "kms:*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allowed, "Resource": "*"}]})
        key = account.client("kms").create_key(Tags=tags, Policy=policy)["KeyMetadata"]["Arn"]
        account.client("kms").create_alias(AliasName="alias/orthweb", TargetKeyId=key)
        given.database(account, StorageEncrypted=True, KmsKeyId=key, CopyTagsToSnapshot=False)
        an_instance(account)
        return key

    def state(self, account: Account, key: str) -> str:
        return account.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"]

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, account: Account, key: str) -> Run:
        return account.teardown().ok()

    def test_stays_for_the_final_snapshot(self, account: Account, key: str, run: Run) -> None:
        (snapshot,) = account.every("rds", "describe_db_snapshots", "DBSnapshots")
        assert snapshot["TagList"] == OURS, "so that it is found again"
        assert f"without it, {snapshot['DBSnapshotIdentifier']} could no longer be read" in run.message
        assert self.state(account, key) == "Enabled"

    def test_nothing_is_stored_after_the_snapshot_and_nothing_removed_before_it(self, run: Run) -> None:
        expected = ["ec2:StopInstances", "rds:DeleteDBInstance", "rds:AddTagsToResource", "ec2:TerminateInstances"]
        assert [each for each in run.writes if each in expected] == expected

    def test_stays_for_the_snapshot_of_a_disk(self, account: Account, key: str) -> None:
        disturb.delete_snapshots(account)
        ec2 = account.client("ec2")
        volume = ec2.create_volume(Size=1, AvailabilityZone=f"{REGION}a", Encrypted=True, KmsKeyId=key)["VolumeId"]
        snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        assert f"without it, {snapshot}, {volume} could no longer be read" in account.teardown().ok().message
        assert self.state(account, key) == "Enabled"
        ec2.delete_volume(VolumeId=volume)
        ec2.delete_snapshot(SnapshotId=snapshot)

    def test_stays_for_the_audit_trail(self, account: Account, key: str) -> None:
        logs, tags = account.client("logs"), {"orthweb:stack": "orthweb"}
        for name in ("audit", "flow-logs"):
            logs.create_log_group(logGroupName=f"/orthweb/orthweb/{name}", kmsKeyId=key, tags=tags)
        assert "without it, /orthweb/orthweb/audit could no longer be read" in account.teardown().ok().message
        assert self.state(account, key) == "Enabled"

    def test_goes_when_nothing_needs_it(self, account: Account, key: str) -> None:
        account.teardown(orthweb_audit_cloudwatch_kept=False).ok()
        assert self.state(account, key) == "PendingDeletion"


class TestDatabaseInABadState:
    """RDS takes no snapshot of one that failed, and may refuse to change it."""

    @pytest.fixture(scope="class")
    @classmethod
    def failed(cls, account: Account) -> Account:
        account.reset()
        account.post("/rehearsal/settings", {"database_ends_in": "failed"})
        given.database(account, DeletionProtection=True)
        return account

    def test_teardown_says_that_there_can_be_no_snapshot(self, failed: Account) -> None:
        run = failed.teardown().failed()
        assert 'is "failed"' in run.message
        assert "orthweb_rds_final_snapshot=false" in run.message
        assert run.writes == []

    def test_and_how_the_protection_is_lifted(self, failed: Account) -> None:
        run = failed.teardown(orthweb_rds_final_snapshot=False).failed()
        assert "aws rds modify-db-instance --db-instance-identifier orthweb --no-deletion-protection" in run.message
        assert run.writes == []

    def test_and_goes_on_then(self, failed: Account) -> None:
        failed.client("rds").modify_db_instance(DBInstanceIdentifier="orthweb", DeletionProtection=False)
        failed.teardown(orthweb_rds_final_snapshot=False).ok()
        assert failed.every("rds", "describe_db_instances", "DBInstances") == []

    def test_hosts_run_on_where_there_can_be_none(self, account: Account) -> None:
        """RDS takes none of a stopped database, either, and says so only when it is asked to delete it."""
        account.reset()
        account.post("/rehearsal/settings", {"database_ends_in": "stopped"})
        given.database(account)
        an_instance(account)
        run = account.teardown().failed()
        assert 'The database orthweb is "stopped".' in run.message
        assert "and the hosts run on. It was stopped by hand. Start it: aws rds start-db-instance." in run.message
        assert run.writes == []
