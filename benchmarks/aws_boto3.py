# SPDX-License-Identifier: GPL-3.0-or-later
"""The yardstick: a plain boto3 script without any care that makes, and one that reads, what our provisioning makes."""

from __future__ import annotations

import json
from typing import Any

NAME = "yardstick"


def _tags(kind: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": NAME}, {"Key": "orthweb:stack", "Value": NAME}]}]


def make_all(rehearsal: Any) -> None:
    """Make network, key, secrets, database, role and host, one call after the other."""
    ec2, rds, iam, kms = (rehearsal.client(name) for name in ("ec2", "rds", "iam", "kms"))
    key = kms.create_key(Description=NAME)["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName=f"alias/{NAME}", TargetKeyId=key)
    kms.enable_key_rotation(KeyId=key)
    for secret in ("master", "orthanc"):
        content = json.dumps({"username": secret, "password": "0123456789abcdef"})
        rehearsal.client("secretsmanager").create_secret(Name=f"{NAME}/{secret}", SecretString=content, KmsKeyId=key)
    vpc = ec2.create_vpc(CidrBlock="10.43.0.0/16", TagSpecifications=_tags("vpc"))["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = ec2.create_internet_gateway(TagSpecifications=_tags("internet-gateway"))["InternetGateway"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
    subnets = [
        ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.43.{number}.0/24",
            AvailabilityZone=f"us-east-1{'ab'[number % 2]}",
            TagSpecifications=_tags("subnet"),
        )["Subnet"]["SubnetId"]
        for number in range(4)
    ]
    tables = []
    for pair in (subnets[:2], subnets[2:]):
        table = ec2.create_route_table(VpcId=vpc, TagSpecifications=_tags("route-table"))["RouteTable"]["RouteTableId"]
        tables.append(table)
        for subnet in pair:
            ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    ec2.create_route(RouteTableId=tables[0], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway["InternetGatewayId"])
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=tables)
    groups = []
    for name in ("imaging", "database"):
        group = ec2.create_security_group(
            GroupName=f"{NAME}-{name}", Description=name, VpcId=vpc, TagSpecifications=_tags("security-group")
        )["GroupId"]
        groups.append(group)
        ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "127.0.0.0/8"}]}
                for port in ((22, 443, 8042, 11112) if name == "imaging" else (5432,))
            ],
        )
    _make_database(rds, subnets[2:], groups[1], key)
    _make_host(ec2, iam, subnets[0], groups[0], key)


def _make_database(rds: Any, subnets: list[str], group: str, key: str) -> None:
    rds.create_db_subnet_group(DBSubnetGroupName=NAME, DBSubnetGroupDescription=NAME, SubnetIds=subnets)
    rds.create_db_parameter_group(DBParameterGroupName=NAME, DBParameterGroupFamily="postgres17", Description=NAME)
    rds.modify_db_parameter_group(
        DBParameterGroupName=NAME,
        Parameters=[{"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "immediate"}],
    )
    rds.create_db_instance(
        DBInstanceIdentifier=NAME,
        DBInstanceClass="db.t4g.medium",
        Engine="postgres",
        EngineVersion="17",
        AllocatedStorage=50,
        StorageType="gp3",
        StorageEncrypted=True,
        KmsKeyId=key,
        MasterUsername="orthweb_admin",
        MasterUserPassword="0123456789abcdef",
        DBSubnetGroupName=NAME,
        DBParameterGroupName=NAME,
        VpcSecurityGroupIds=[group],
    )


def _make_host(ec2: Any, iam: Any, subnet: str, group: str, key: str) -> None:
    trust = {"Version": "2012-10-17", "Statement": []}
    iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(trust))
    iam.create_instance_profile(InstanceProfileName=NAME)
    iam.add_role_to_instance_profile(InstanceProfileName=NAME, RoleName=NAME)
    images = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-13-amd64-*"]}])["Images"]
    ec2.create_key_pair(KeyName=NAME)
    volume = {"VolumeSize": 30, "VolumeType": "gp3", "Encrypted": True, "KmsKeyId": key}
    host = ec2.run_instances(
        ImageId=images[0]["ImageId"],
        InstanceType="t3.medium",
        MinCount=1,
        MaxCount=1,
        KeyName=NAME,
        SubnetId=subnet,
        SecurityGroupIds=[group],
        IamInstanceProfile={"Name": NAME},
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": volume}],
    )["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[host])
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(InstanceId=host, AllocationId=address["AllocationId"])


def read_all(rehearsal: Any) -> None:
    """Ask for the state of everything that a stack has."""
    ec2, rds, iam, kms = (rehearsal.client(name) for name in ("ec2", "rds", "iam", "kms"))
    rehearsal.client("sts").get_caller_identity()
    for describe in (
        "vpcs", "subnets", "internet_gateways", "route_tables", "vpc_endpoints", "security_groups", "instances",
        "volumes", "addresses", "key_pairs", "flow_logs", "network_interfaces", "availability_zones",
    ):  # fmt: skip
        getattr(ec2, f"describe_{describe}")()
    for describe in ("db_instances", "db_subnet_groups", "db_parameter_groups"):
        getattr(rds, f"describe_{describe}")()
    for role in iam.list_roles()["Roles"]:
        iam.list_role_policies(RoleName=role["RoleName"])
        iam.list_attached_role_policies(RoleName=role["RoleName"])
    iam.list_instance_profiles()
    for key in kms.list_keys()["Keys"]:
        kms.describe_key(KeyId=key["KeyId"])
        kms.get_key_rotation_status(KeyId=key["KeyId"])
    rehearsal.client("secretsmanager").list_secrets()
    rehearsal.client("logs").describe_log_groups()
