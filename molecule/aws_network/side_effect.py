# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody could not connect, and opened what was in the way; somebody else tidied up."""

from __future__ import annotations

from api import STACK, WORLD, client, named

ec2 = client("ec2")
group = named("security_groups", f"{STACK}-imaging")
ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": WORLD}
ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[ssh])
dicom = {"IpProtocol": "tcp", "FromPort": 11112, "ToPort": 11112, "IpRanges": [{"CidrIp": "198.51.100.0/24"}]}
ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[dicom])

filters = [{"Name": "vpc-id", "Values": [group["VpcId"]]}, {"Name": "group-name", "Values": ["default"]}]
(default,) = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
everything = {"IpProtocol": "-1", "IpRanges": WORLD}
ec2.authorize_security_group_ingress(GroupId=default["GroupId"], IpPermissions=[everything])

gateway = named("internet_gateways", STACK)["InternetGatewayId"]
table = named("route_tables", f"{STACK}-private")["RouteTableId"]
ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)

ec2.delete_vpc_endpoints(VpcEndpointIds=[named("vpc_endpoints", f"{STACK}-s3")["VpcEndpointId"]])
ec2.delete_flow_logs(FlowLogIds=[each["FlowLogId"] for each in ec2.describe_flow_logs()["FlowLogs"]])
