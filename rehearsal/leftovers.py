# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a simulated account beside what every account has, whatever its tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .controller import Rehearsal

GONE = ("terminated", "deleted", "deleting", "PendingDeletion")


def leftovers(rehearsal: Rehearsal) -> dict[str, list[str]]:
    """Kind → names of what is left. Empty if nothing is."""
    ec2, rds, iam, kms = (rehearsal.client(name) for name in ("ec2", "rds", "iam", "kms"))
    instances = [one for group in ec2.describe_instances()["Reservations"] for one in group["Instances"]]
    keys = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
    own_tables = [
        table
        for table in ec2.describe_route_tables()["RouteTables"]
        if not any(association.get("Main") for association in table["Associations"])
    ]
    default_vpcs = [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if vpc["IsDefault"]]
    gateways = [
        gateway
        for gateway in ec2.describe_internet_gateways()["InternetGateways"]
        if not any(attachment["VpcId"] in default_vpcs for attachment in gateway["Attachments"])
    ]
    found = {
        "instances": [one["InstanceId"] for one in instances if one["State"]["Name"] not in GONE],
        "volumes": [one["VolumeId"] for one in ec2.describe_volumes()["Volumes"]],
        "addresses": [one["PublicIp"] for one in ec2.describe_addresses()["Addresses"]],
        "vpcs": [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]],
        "subnets": [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"] if not one["DefaultForAz"]],
        "security_groups": [
            one["GroupName"]
            for one in ec2.describe_security_groups()["SecurityGroups"]
            if one["GroupName"] != "default"
        ],
        "network_acls": [
            one["NetworkAclId"] for one in ec2.describe_network_acls()["NetworkAcls"] if not one["IsDefault"]
        ],
        "route_tables": [one["RouteTableId"] for one in own_tables],
        "internet_gateways": [one["InternetGatewayId"] for one in gateways],
        "vpc_endpoints": [
            one["VpcEndpointId"] for one in ec2.describe_vpc_endpoints()["VpcEndpoints"] if one["State"] not in GONE
        ],
        "flow_logs": [one["FlowLogId"] for one in ec2.describe_flow_logs()["FlowLogs"]],
        "key_pairs": [one["KeyName"] for one in ec2.describe_key_pairs()["KeyPairs"]],
        "network_interfaces": [
            one["NetworkInterfaceId"] for one in ec2.describe_network_interfaces()["NetworkInterfaces"]
        ],
        "db_instances": [one["DBInstanceIdentifier"] for one in rds.describe_db_instances()["DBInstances"]],
        "db_snapshots": [one["DBSnapshotIdentifier"] for one in rds.describe_db_snapshots()["DBSnapshots"]],
        "db_subnet_groups": [one["DBSubnetGroupName"] for one in rds.describe_db_subnet_groups()["DBSubnetGroups"]],
        "db_parameter_groups": [
            one["DBParameterGroupName"] for one in rds.describe_db_parameter_groups()["DBParameterGroups"]
        ],
        "event_subscriptions": [
            one["CustSubscriptionId"] for one in rds.describe_event_subscriptions()["EventSubscriptionsList"]
        ],
        "alarms": [one["AlarmName"] for one in rehearsal.client("cloudwatch").describe_alarms()["MetricAlarms"]],
        "topics": [one["TopicArn"] for one in rehearsal.client("sns").list_topics()["Topics"]],
        "iam_roles": [one["RoleName"] for one in iam.list_roles()["Roles"]],
        "instance_profiles": [one["InstanceProfileName"] for one in iam.list_instance_profiles()["InstanceProfiles"]],
        "policies": [one["PolicyName"] for one in iam.list_policies(Scope="Local")["Policies"]],
        "kms_keys": [key["KeyId"] for key in keys if key["KeyState"] not in GONE and key["KeyManager"] == "CUSTOMER"],
        "secrets": [
            one["Name"]
            for one in rehearsal.client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"]
        ],
        "log_groups": [one["logGroupName"] for one in rehearsal.client("logs").describe_log_groups()["logGroups"]],
        "buckets": [one["Name"] for one in rehearsal.client("s3").list_buckets()["Buckets"]],
    }
    return {kind: names for kind, names in found.items() if names}
