# SPDX-License-Identifier: GPL-3.0-or-later
"""An account with a stack in it, another stack, and somebody else's resources that have the stack's names."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws import survey
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.survey import KINDS
from ansible_collections.cellcs.orthweb.plugins.modules import aws_stack_info as module

pytestmark = pytest.mark.slow  # moto is a server of its own

NAMES = {
    **{
        kind: ["orthweb"]
        for kind in ("vpcs", "internet_gateways", "key_pairs", "flow_logs", "load_balancers", "db_instances")
    },
    "target_groups": ["orthweb-443"],
    "subnets": ["orthweb-public-a"],
    "route_tables": ["orthweb-public"],
    "vpc_endpoints": ["orthweb-s3"],
    "security_groups": ["orthweb-imaging"],
    "instances": ["orthweb-imaging-1"],
    "addresses": ["orthweb-imaging-1"],
    "kms_keys": ["alias/orthweb"],
    "secrets": ["orthweb/database-master"],
    "iam_roles": ["orthweb-imaging", "orthweb-flow-logs"],
    "instance_profiles": ["orthweb-imaging"],
    "log_groups": ["/aws/rds/instance/orthweb/postgresql", "/orthweb/orthweb/flow-logs"],
    "db_subnet_groups": ["orthweb"],
    "db_parameter_groups": ["orthweb-postgres17"],
    "buckets": ["orthweb-images"],
    "network_acls": ["orthweb-private"],
    "alarms": ["orthweb/database-storage"],
    "topics": ["orthweb-alarms"],
    "event_subscriptions": ["orthweb-alarms"],
    "backup_vaults": ["orthweb-backup"],
}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
USER_DATA = "#cloud-config\n"


def listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


class Builder:
    """Makes a whole stack; ``stack`` None: the same names, without our tag."""

    def __init__(self, account: Callable[[str], Any], stack: str | None) -> None:
        self.account = account
        self.tags = {"orthweb:stack": stack} if stack else {"owner": "somebody"}
        self.ec2 = account("ec2")

    def spec(self, kind: str, name: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": listed({**self.tags, "Name": name})}]

    def network(self) -> None:
        ec2 = self.ec2
        self.vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=self.spec("vpc", "orthweb"))["Vpc"][
            "VpcId"
        ]
        self.subnets = [
            ec2.create_subnet(
                VpcId=self.vpc,
                CidrBlock=f"10.9.{number}.0/24",
                AvailabilityZone=f"eu-central-1{zone}",
                TagSpecifications=self.spec("subnet", f"orthweb-public-{zone}"),
            )["Subnet"]["SubnetId"]
            for number, zone in enumerate("ab")
        ]
        ec2.create_internet_gateway(TagSpecifications=self.spec("internet-gateway", "orthweb"))
        ec2.create_route_table(VpcId=self.vpc, TagSpecifications=self.spec("route-table", "orthweb-public"))
        ec2.create_vpc_endpoint(
            VpcId=self.vpc,
            ServiceName="com.amazonaws.eu-central-1.s3",
            TagSpecifications=self.spec("vpc-endpoint", "orthweb-s3"),
        )
        self.group = ec2.create_security_group(
            GroupName="orthweb-imaging",
            Description="x",
            VpcId=self.vpc,
            TagSpecifications=self.spec("security-group", "orthweb-imaging"),
        )["GroupId"]
        ec2.create_network_acl(VpcId=self.vpc, TagSpecifications=self.spec("network-acl", "orthweb-private"))
        self.account("logs").create_log_group(logGroupName="/orthweb/orthweb/flow-logs", tags=self.tags)
        ec2.create_flow_logs(
            ResourceIds=[self.vpc],
            ResourceType="VPC",
            TrafficType="ALL",
            LogGroupName="/orthweb/orthweb/flow-logs",
            DeliverLogsPermissionArn="arn:aws:iam::123456789012:role/x",
            TagSpecifications=self.spec("vpc-flow-log", "orthweb"),
        )

    def hosts(self) -> None:
        self.ec2.create_key_pair(KeyName="orthweb", TagSpecifications=self.spec("key-pair", "orthweb"))
        self.instance = self.ec2.run_instances(
            ImageId=self.ec2.describe_images()["Images"][0]["ImageId"],
            InstanceType="t3.medium",
            MinCount=1,
            MaxCount=1,
            SubnetId=self.subnets[0],
            UserData=USER_DATA,
            TagSpecifications=self.spec("instance", "orthweb-imaging-1") + self.spec("volume", "orthweb-imaging-1"),
        )["Instances"][0]["InstanceId"]
        self.ec2.allocate_address(Domain="vpc", TagSpecifications=self.spec("elastic-ip", "orthweb-imaging-1"))
        elb, tags = self.account("elbv2"), listed(self.tags)
        elb.create_load_balancer(Name="orthweb", Type="network", Subnets=self.subnets, Tags=tags)
        elb.create_target_group(Name="orthweb-443", Protocol="TCP", Port=443, VpcId=self.vpc, Tags=tags)
        iam = self.account("iam")
        iam.create_role(RoleName="orthweb-imaging", AssumeRolePolicyDocument=TRUST, Tags=listed(self.tags))
        iam.create_instance_profile(InstanceProfileName="orthweb-imaging", Tags=listed(self.tags))

    def keys(self) -> None:
        kms = self.account("kms")
        tags = [{"TagKey": key, "TagValue": value} for key, value in self.tags.items()]
        self.key = kms.create_key(Tags=tags)["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName="alias/orthweb", TargetKeyId=self.key)
        self.account("secretsmanager").create_secret(
            Name="orthweb/database-master", SecretString="x", Tags=listed(self.tags)
        )

    def database(self) -> None:
        rds, tags = self.account("rds"), listed(self.tags)
        rds.create_db_subnet_group(
            DBSubnetGroupName="orthweb", DBSubnetGroupDescription="x", SubnetIds=self.subnets, Tags=tags
        )
        rds.create_db_parameter_group(
            DBParameterGroupName="orthweb-postgres17", DBParameterGroupFamily="postgres17", Description="x", Tags=tags
        )
        rds.create_db_instance(
            DBInstanceIdentifier="orthweb",
            Engine="postgres",
            EngineVersion="17.6",
            DBInstanceClass="db.t4g.small",
            AllocatedStorage=50,
            MasterUsername="master",
            MasterUserPassword="not-shown-1",
            DeletionProtection=False,
            Tags=tags,
        )
        self.account("logs").create_log_group(logGroupName="/aws/rds/instance/orthweb/postgresql", tags=self.tags)
        rds.create_db_snapshot(DBSnapshotIdentifier="orthweb-final", DBInstanceIdentifier="orthweb", Tags=tags)

    def alarms(self) -> None:
        tags = listed(self.tags)
        topic = self.account("sns").create_topic(Name="orthweb-alarms", Tags=tags)["TopicArn"]
        self.account("cloudwatch").put_metric_alarm(
            AlarmName="orthweb/database-storage",
            Namespace="AWS/RDS",
            MetricName="FreeStorageSpace",
            Statistic="Minimum",
            Period=300,
            EvaluationPeriods=1,
            Threshold=1.0,
            ComparisonOperator="LessThanThreshold",
            Tags=tags,
        )
        self.account("rds").create_event_subscription(
            SubscriptionName="orthweb-alarms", SnsTopicArn=topic, SourceType="db-instance", Tags=tags
        )

    def bucket(self) -> None:
        s3 = self.account("s3")
        s3.create_bucket(Bucket="orthweb-images", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        s3.put_bucket_tagging(Bucket="orthweb-images", Tagging={"TagSet": listed(self.tags)})

    def everything(self) -> Builder:
        self.network()
        self.hosts()
        self.keys()
        self.database()
        self.alarms()
        self.bucket()
        self.account("backup").create_backup_vault(BackupVaultName="orthweb-backup", BackupVaultTags=self.tags)
        return self


EXPECTED = {
    **dict.fromkeys(KINDS, 1),
    "subnets": 2,
    "log_groups": 2,
    "network_interfaces": 0,
    "backup_plans": 0,  # moto does not know what they back up
}


def look(run: Callable[..., dict[str, Any]], **options: Any) -> dict[str, Any]:
    result = run(module, **{"stack": "orthweb", "names": NAMES, **options})
    assert not result.get("failed"), result["msg"]
    return result


def test_an_empty_account_has_nothing(run: Callable[..., dict[str, Any]]) -> None:
    found = look(run)
    assert (found["count"], found["foreign"], set(found["resources"])) == (0, [], set(KINDS))
    assert not any(found["resources"].values())


def test_all_of_a_stack_is_found_and_described(account: Any, run: Callable[..., dict[str, Any]]) -> None:
    made = Builder(account, "orthweb").everything()
    found = look(run)
    assert found["counts"] == EXPECTED
    assert (found["count"], found["foreign"], found["changed"]) == (sum(EXPECTED.values()), [], False)
    for kind, resources in found["resources"].items():
        for each in resources:
            assert {"id", "name", "state", "tags"} <= set(each), kind
            assert each["tags"]["orthweb:stack"] == "orthweb"
            assert each["name"] in [*NAMES.get(kind, []), "orthweb-public-b", "orthweb-imaging-1", "orthweb-final"]
    (instance,) = found["resources"]["instances"]
    assert (instance["id"], instance["state"], instance["type"]) == (made.instance, "running", "t3.medium")
    assert instance["zone"] == "eu-central-1a"
    assert instance["private_address"].startswith("10.9.0.")
    (database,) = found["resources"]["db_instances"]
    assert (database["class"], database["engine_version"], database["allocated_storage"]) == (
        "db.t4g.small",
        "17.6",
        50,
    )
    assert (database["deletion_protection"], database["state"]) == (False, "available")
    assert database["endpoint"]["host"].startswith("orthweb.")
    assert found["resources"]["security_groups"][0]["vpc_id"] == made.vpc
    assert found["resources"]["kms_keys"][0]["id"] == made.key
    assert "not-shown-1" not in json.dumps(found)
    assert look(run)["resources"] == found["resources"]


def test_what_only_has_our_names_is_foreign(account: Any, run: Callable[..., dict[str, Any]]) -> None:
    Builder(account, None).everything()
    found = look(run)
    assert found["count"] == 0
    assert {(each["kind"], each["name"]) for each in found["foreign"]} == {
        (kind, name) for kind, names in NAMES.items() for name in names if name != "orthweb-flow-logs"
    }
    assert look(run, names={})["foreign"] == []


def test_another_stack_is_foreign_too(account: Any, run: Callable[..., dict[str, Any]]) -> None:
    Builder(account, "other").network()
    found = look(run)
    assert found["count"] == 0
    assert ("vpcs", "orthweb") in {(each["kind"], each["name"]) for each in found["foreign"]}
    assert look(run, stack="other", names={})["counts"]["vpcs"] == 1


def test_two_of_one_name_are_told_apart(account: Any, run: Callable[..., dict[str, Any]]) -> None:
    theirs, ours = Builder(account, None), Builder(account, "orthweb")
    theirs.vpc = account("ec2").create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=theirs.spec("vpc", "orthweb"))
    ours.network()
    found = look(run)
    assert [each["id"] for each in found["resources"]["vpcs"]] == [ours.vpc]
    assert found["foreign"] == [{"kind": "vpcs", "id": theirs.vpc["Vpc"]["VpcId"], "name": "orthweb"}]


def test_what_is_renamed_is_still_found(account: Any, run: Callable[..., dict[str, Any]]) -> None:
    """By its tag, though no name of it is known. IAM, which has no such list, is not among them."""
    Builder(account, "orthweb").everything()
    unnamed = {"iam_roles": 0, "instance_profiles": 0}
    assert look(run, names={})["counts"] == {**EXPECTED, **unnamed}


def test_roles_of_another_region_are_not_among_ours(account: Any, run: Callable[..., dict[str, Any]]) -> None:
    iam, tags = account("iam"), listed({"orthweb:stack": "orthweb"})
    for name in ("orthweb_eu-central-1-x", "orthweb_eu-west-1-x", "orthweb-2_eu-west-1-x", "orthweb-old"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, Tags=tags)
    iam.create_role(RoleName="orthweb-theirs", AssumeRolePolicyDocument=TRUST)
    former = {"iam_roles": ["orthweb-old", "orthweb-theirs"]}
    found = look(run, names={"iam_roles": ["orthweb_{region}-x"]}, former_names=former)
    assert [each["name"] for each in found["resources"]["iam_roles"]] == ["orthweb_eu-central-1-x"]
    outside = [(each["name"], each["region"]) for each in found["elsewhere"]]
    assert outside == [("orthweb-old", ""), ("orthweb_eu-west-1-x", "eu-west-1")]
    assert (found["foreign"], found["region"]) == ([], "eu-central-1")


def test_what_is_going_is_told_by_itself(account: Any, run: Callable[..., dict[str, Any]]) -> None:
    made = Builder(account, "orthweb")
    made.network()
    made.hosts()
    made.keys()
    before = look(run)["counts"]
    account("ec2").terminate_instances(InstanceIds=[made.instance])
    account("kms").schedule_key_deletion(KeyId=made.key)
    account("secretsmanager").delete_secret(SecretId="orthweb/database-master", RecoveryWindowInDays=7)
    found = look(run)
    gone = {kind for kind, number in found["counts"].items() if number != before[kind]}
    assert gone >= {"instances", "kms_keys", "secrets"}
    going = {kind: each for kind, each in found["going"].items() if each}
    states = {kind: going[kind][0]["state"] for kind in ("instances", "kms_keys", "secrets")}
    assert going.keys() == gone - {"volumes"}  # deleted with the instance, and out of every list at once
    assert states == {"instances": "terminated", "kms_keys": "pending_deletion", "secrets": "pending_deletion"}


def test_a_terminated_host_of_somebody_else_holds_no_name(account: Any, run: Callable[..., dict[str, Any]]) -> None:
    theirs = Builder(account, None)
    theirs.network()
    theirs.hosts()
    account("ec2").terminate_instances(InstanceIds=[theirs.instance])
    assert "instances" not in {each["kind"] for each in look(run)["foreign"]}


def test_a_missing_permission_is_named(
    account: Any, run: Callable[..., dict[str, Any]], moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("backup_vaults", "backup_plans"):  # of AWS Backup, moto can tell nobody what he may
        monkeypatch.delitem(KINDS, kind)
        monkeypatch.delitem(survey.ASKED, kind)
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {
                "Effect": "Deny",
                "Action": ["ec2:DescribeSubnets", "iam:GetRole", "rds:DescribeDBInstances"],
                "Resource": "*",
            },
        ],
    }
    iam = account("iam")
    iam.create_user(UserName="someone")
    iam.put_user_policy(UserName="someone", PolicyName="x", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="someone")["AccessKey"]
    requests.post(f"{moto_url}/moto-api/reset-auth", data="0", timeout=30)
    try:
        result = run(
            module,
            stack="orthweb",
            names={kind: names for kind, names in NAMES.items() if kind in KINDS},
            access_key=key["AccessKeyId"],
            secret_key=key["SecretAccessKey"],
        )
    finally:
        requests.post(f"{moto_url}/moto-api/reset-auth", data="Infinity", timeout=30)
    assert result["failed"]
    assert "lack: ec2:DescribeSubnets, iam:GetRole, rds:DescribeDBInstances." in result["msg"]


def test_an_api_that_does_not_answer_is_named(run: Callable[..., dict[str, Any]]) -> None:
    options = {"endpoint_url": "http://127.0.0.1:9", "aws_config": {"retries": {"max_attempts": 0}}}
    result = run(module, stack="orthweb", **options)
    assert result["failed"]
    assert "127.0.0.1:9" in result["msg"]


def test_no_credentials(run: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    result = run(module, stack="orthweb")
    assert result["failed"]
    assert "no AWS credentials were found" in result["msg"]


@pytest.mark.parametrize("names", [{"vpcx": ["orthweb"]}, {"vpcs": "orthweb"}])
@pytest.mark.parametrize("option", ["names", "former_names"])
def test_names_that_cannot_be_meant_are_refused(
    run: Callable[..., dict[str, Any]], option: str, names: dict[str, Any]
) -> None:
    assert run(module, stack="orthweb", **{option: names})["failed"]
