# SPDX-License-Identifier: GPL-3.0-or-later
"""What was there before us: a network that is given to the playbooks, a database of our stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .account import REGION, Account

OURS = [{"Key": "orthweb:stack", "Value": "orthweb"}]


def network(account: Account) -> dict[str, Any]:
    """A VPC with a gateway, a public subnet with a way to it, two private ones; returns the variables that say so."""
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.77.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")
        for number, zone in enumerate("aab")
    ]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[0]["Subnet"]["SubnetId"])
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    public, *private = (each["Subnet"]["SubnetId"] for each in subnets)
    return {
        "orthweb_vpc_id": vpc,
        "orthweb_public_subnet_ids": [public],
        "orthweb_private_subnet_ids": private,
    }


def key_without_alias(account: Account) -> str:
    """A KMS key as a run leaves it that ended before it could give it the alias."""
    tags = [{"TagKey": "orthweb:stack", "TagValue": "orthweb"}]
    made = account.client("kms").create_key(Description="Data of the imaging archive orthweb", Tags=tags)
    return str(made["KeyMetadata"]["KeyId"])


def database(
    account: Account,
    tags: Sequence[Mapping[str, str]] | None = None,
    name: str = "orthweb",
    version: str = "17",
    **more: Any,
) -> None:
    account.client("rds").create_db_instance(
        DBInstanceIdentifier=name,
        Engine="postgres",
        EngineVersion=version,
        DBInstanceClass="db.t4g.medium",
        AllocatedStorage=20,
        MasterUsername="somebody",
        MasterUserPassword="long-enough",
        Tags=OURS if tags is None else tags,
        **more,
    )
