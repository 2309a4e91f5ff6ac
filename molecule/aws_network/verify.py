# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches whom, as AWS sees it."""

from __future__ import annotations

from typing import Any

from api import STACK, client, looking, named

DICOM, PORTAL, CONTROLLER = "198.51.100.0/24", "203.0.113.0/24", "192.0.2.10/32"
ec2, logs = client("ec2"), client("logs")
imaging, database = (named("security_groups", f"{STACK}-{name}") for name in ("imaging", "database"))
tables = {name: named("route_tables", f"{STACK}-{name}") for name in ("public", "private")}
zones = [f"us-east-1{zone}" for zone in "ab"]


def ranges(rules: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return sorted((rule["FromPort"], each["CidrIp"]) for rule in rules for each in rule["IpRanges"])


def way_out(table: dict[str, Any]) -> list[str]:
    return [each["GatewayId"] for each in table["Routes"] if each.get("DestinationCidrBlock") == "0.0.0.0/0"]


with looking() as expect:
    wanted = [(22, CONTROLLER), (443, PORTAL), (8042, PORTAL), (11112, DICOM)]
    expect("who may connect to a host", ranges(imaging["IpPermissions"]), wanted)
    vpc = named("vpcs", STACK)
    filters = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    groups = {each["GroupName"]: each for each in ec2.describe_security_groups(Filters=filters)["SecurityGroups"]}
    expect("security groups", sorted(groups), ["default", f"{STACK}-database", f"{STACK}-imaging"])
    default = groups["default"]
    expect("what the default group lets through", default["IpPermissions"] + default["IpPermissionsEgress"], [])
    reached = [
        (rule["FromPort"], rule["IpRanges"], [pair["GroupId"] for pair in rule["UserIdGroupPairs"]])
        for rule in database["IpPermissions"]
    ]
    expect("who reaches the database", reached, [(5432, [], [imaging["GroupId"]])])
    expect("what the database reaches", database["IpPermissionsEgress"], [])

    gateway = named("internet_gateways", STACK)
    expect("the gateway's VPC", [each["VpcId"] for each in gateway["Attachments"]], [vpc["VpcId"]])
    expect("way out of the public subnets", way_out(tables["public"]), [gateway["InternetGatewayId"]])
    expect("way out of the private subnets", way_out(tables["private"]), [])
    for tier, table in tables.items():
        subnets = [named("subnets", f"{STACK}-{tier}-{zone}") for zone in zones]
        expect(f"zones of the {tier} subnets", [each["AvailabilityZone"] for each in subnets], zones)
        associated = sorted(each["SubnetId"] for each in table["Associations"])
        expect(f"{tier} subnets", associated, sorted(each["SubnetId"] for each in subnets))
    endpoint = named("vpc_endpoints", f"{STACK}-s3")
    both = sorted(table["RouteTableId"] for table in tables.values())
    expect("tables with a way to S3", sorted(endpoint["RouteTableIds"]), both)

    (group,) = logs.describe_log_groups()["logGroups"]
    expect("days that flow logs are kept", group.get("retentionInDays"), 90)
    watched = [(each["ResourceId"], each["LogGroupName"]) for each in ec2.describe_flow_logs()["FlowLogs"]]
    expect("what is logged, and where", watched, [(vpc["VpcId"], group["logGroupName"])])
