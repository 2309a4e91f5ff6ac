# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do to an account by hand, beside us: drift, things of their own, buckets in the way."""

from __future__ import annotations

import json
from typing import Any

from .account import FLOW_LOGS_ROLE, IMAGING_ROLE, Account

ROUTES = "routes | Make a public route table to the Internet and a private one without a way out"
# What is changed by hand → the task of a plan that has to say so.
DRIFT = {
    "a rule for the whole Internet on port 22": "security_groups | Make the security group of the imaging hosts",
    "a default route on the private table": ROUTES,
    "a private subnet on the public table": ROUTES,
    "the database's subnets are open to everybody": "network_acl | Put the private subnets behind it, with its rules",
    "a private subnet is not behind the ACL": "network_acl | Put the private subnets behind it, with its rules",
    "the default group lets something in": "own_vpc | Remove all rules from the VPC's default security group",
    "the endpoint of S3 is gone": "endpoints | Make the gateway endpoint to S3 (free of charge)",
    "the metadata service answers without a token": "hosts | Make the imaging hosts",
    "a released address": "hosts | Give the hosts fixed addresses",
    "the load balancer forgets, forwards and asks otherwise": "balancer | Make the load balancer",
    "hosts do not know the load balancer's name": "name | Tag the hosts with the load balancer's name",
    "the load balancer is open to the Internet": "security_groups | Make the security group of the load balancer",
    "the database is public, without protection and backups": "instance | Request RDS PostgreSQL",
    "TLS is not insisted on": "request | Make the parameter group (TLS for everybody, no patients' names in logs)",
    "the hosts may do everything": "role | Make the role of the hosts",
    "the hosts may read every bucket": "role | Remove all other policies",
    "the key does not rotate": "Make the key that encrypts database, disks and secrets",
    "a log group is of a version that encrypted none": "Encrypt log groups that have no key yet",
    "the flow log is gone": "flow_log | Make the VPC's flow log",
    "a host has another profile": "hosts | Make the imaging hosts",
    "flow logs are kept for ever": "flow_log | Announce changes to the log group",
    "an alarm has no description, and one is gone": "keep | Keep topic, alarms and the subscription to RDS's events",
    "the database's log is kept for ever": "log_groups | Announce changes to the log groups of the database",
    "the audit trail is kept for a day": "audit_log | Announce changes to the log group of the audit trail",
}
WORLD = [{"CidrIp": "0.0.0.0/0"}]
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def everything(account: Account) -> None:
    """All of DRIFT, and the second host is terminated."""
    ec2, rds, iam, kms = (account.client(service) for service in ("ec2", "rds", "iam", "kms"))

    def ours(operation: str, key: str, name: str) -> dict[str, Any]:
        filters = [{"Name": "tag:Name", "Values": [name]}, {"Name": "tag:orthweb:stack", "Values": ["orthweb"]}]
        (one,) = account.every("ec2", operation, key, Filters=filters)
        return one

    group = ours("describe_security_groups", "SecurityGroups", "orthweb-imaging")
    ec2.authorize_security_group_ingress(
        GroupId=group["GroupId"],
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": WORLD}],
    )
    for rules, update in [
        (group["IpPermissions"], ec2.update_security_group_rule_descriptions_ingress),
        (group["IpPermissionsEgress"], ec2.update_security_group_rule_descriptions_egress),
    ]:
        rule = next(each for each in rules if each["IpRanges"])
        ranges = [{"CidrIp": rule["IpRanges"][0]["CidrIp"], "Description": "by hand"}]
        ports = {key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort")}
        update(GroupId=group["GroupId"], IpPermissions=[{**ports, "IpRanges": ranges}])
    vpc = group["VpcId"]
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    (default,) = account.every("ec2", "describe_security_groups", "SecurityGroups", Filters=filters)
    ec2.authorize_security_group_ingress(
        GroupId=default["GroupId"], IpPermissions=[{"IpProtocol": "-1", "IpRanges": WORLD}]
    )
    gateway = ours("describe_internet_gateways", "InternetGateways", "orthweb")["InternetGatewayId"]
    table = ours("describe_route_tables", "RouteTables", "orthweb-private")
    ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    public = ours("describe_route_tables", "RouteTables", "orthweb-public")["RouteTableId"]
    association = next(each for each in table["Associations"] if each.get("SubnetId"))
    ec2.replace_route_table_association(AssociationId=association["RouteTableAssociationId"], RouteTableId=public)
    acl = ours("describe_network_acls", "NetworkAcls", "orthweb-private")
    everybody = {"Protocol": "-1", "RuleAction": "allow", "Egress": False, "CidrBlock": "0.0.0.0/0"}
    ec2.create_network_acl_entry(NetworkAclId=acl["NetworkAclId"], RuleNumber=50, **everybody)
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "default", "Values": ["true"]}]
    (own,) = account.every("ec2", "describe_network_acls", "NetworkAcls", Filters=filters)
    ec2.replace_network_acl_association(
        AssociationId=acl["Associations"][0]["NetworkAclAssociationId"], NetworkAclId=own["NetworkAclId"]
    )
    endpoint = ours("describe_vpc_endpoints", "VpcEndpoints", "orthweb-s3")["VpcEndpointId"]
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])

    first, second = (
        ours("describe_instances", "Reservations", f"orthweb-imaging-{number}")["Instances"][0]["InstanceId"]
        for number in (1, 2)
    )
    # moto forgets the options that are not given, which AWS keeps.
    ec2.modify_instance_metadata_options(
        InstanceId=first,
        HttpTokens="optional",
        HttpPutResponseHopLimit=2,
        HttpEndpoint="enabled",
        HttpProtocolIpv6="disabled",
        InstanceMetadataTags="disabled",
    )
    profile = iam.create_instance_profile(InstanceProfileName="by-hand")["InstanceProfile"]["Arn"]
    filters = [{"Name": "instance-id", "Values": [first]}]
    operation = "describe_iam_instance_profile_associations"
    (has,) = account.every("ec2", operation, "IamInstanceProfileAssociations", Filters=filters)
    ec2.replace_iam_instance_profile_association(
        AssociationId=has["AssociationId"], IamInstanceProfile={"Arn": profile}
    )
    iam.delete_instance_profile(InstanceProfileName="by-hand")
    balancer(account, vpc, first)
    ec2.create_tags(Resources=[first], Tags=[{"Key": "orthweb:server-name", "Value": "by.hand"}])
    ec2.terminate_instances(InstanceIds=[second])
    address = ours("describe_addresses", "Addresses", "orthweb-imaging-2")["AllocationId"]
    ec2.release_address(AllocationId=address)
    rds.modify_db_instance(
        DBInstanceIdentifier="orthweb",
        BackupRetentionPeriod=1,
        PubliclyAccessible=True,
        DeletionProtection=False,
        CloudwatchLogsExportConfiguration={"DisableLogTypes": ["postgresql"]},
        ApplyImmediately=True,
    )
    off = {"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "immediate"}
    rds.modify_db_parameter_group(DBParameterGroupName="orthweb-postgres17", Parameters=[off])
    iam.attach_role_policy(RoleName=IMAGING_ROLE, PolicyArn=ADMINISTRATOR)
    reading = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}
    iam.put_role_policy(RoleName=IMAGING_ROLE, PolicyName="by-hand", PolicyDocument=json.dumps(reading))
    kms.disable_key_rotation(KeyId=kms.describe_key(KeyId="alias/orthweb")["KeyMetadata"]["KeyId"])
    flow_logs = [each["FlowLogId"] for each in account.every("ec2", "describe_flow_logs", "FlowLogs")]
    ec2.delete_flow_logs(FlowLogIds=flow_logs)
    cloudwatch = account.client("cloudwatch")
    cloudwatch.delete_alarms(AlarmNames=["orthweb/database-storage"])
    (there,) = cloudwatch.describe_alarms(AlarmNames=["orthweb/database-memory"])["MetricAlarms"]
    kept = ("Namespace", "MetricName", "Dimensions", "Statistic", "Period", "EvaluationPeriods", "Threshold")
    silent = {key: there[key] for key in (*kept, "ComparisonOperator")}
    cloudwatch.put_metric_alarm(AlarmName="orthweb/database-memory", **silent)
    account.client("sns").set_topic_attributes(
        TopicArn=there["OKActions"][0], AttributeName="KmsMasterKeyId", AttributeValue="alias/aws/sns"
    )
    events = {"EventCategories": ["creation"], "Enabled": False}
    rds.modify_event_subscription(SubscriptionName="orthweb-alarms", **events)
    logs = account.client("logs")
    logs.delete_retention_policy(logGroupName="/orthweb/orthweb/flow-logs")
    logs.delete_retention_policy(logGroupName="/aws/rds/instance/orthweb/postgresql")
    logs.put_retention_policy(logGroupName="/orthweb/orthweb/audit", retentionInDays=1)
    upgrades = {"logGroupName": "/aws/rds/instance/orthweb/upgrade"}
    logs.delete_log_group(**upgrades)
    logs.create_log_group(**upgrades, tags={"orthweb:stack": "orthweb"})
    logs.put_retention_policy(**upgrades, retentionInDays=90)


def balancer(account: Account, vpc: str, host: str) -> None:
    """All that can be changed of a load balancer."""
    elb, ec2 = account.client("elbv2"), account.client("ec2")
    (one,) = account.every("elbv2", "describe_load_balancers", "LoadBalancers")
    arn = one["LoadBalancerArn"]
    ec2.authorize_security_group_ingress(
        GroupId=one["SecurityGroups"][0],
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 11112, "ToPort": 11112, "IpRanges": WORLD}],
    )
    filters = [{"Name": "vpc-id", "Values": [vpc]}]
    groups = account.every("ec2", "describe_security_groups", "SecurityGroups", Filters=filters)
    (imaging,) = [each["GroupId"] for each in groups if each["GroupName"] == "orthweb-imaging"]
    elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[imaging])
    subnets = account.every("ec2", "describe_subnets", "Subnets", Filters=filters)
    elb.set_subnets(
        LoadBalancerArn=arn, Subnets=[each["SubnetId"] for each in subnets if "-private-" in str(each["Tags"])]
    )
    off = [{"Key": "load_balancing.cross_zone.enabled", "Value": "false"}]
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=off)
    targets = {
        each["Port"]: each["TargetGroupArn"]
        for each in account.every("elbv2", "describe_target_groups", "TargetGroups")
    }
    listeners = {
        each["Port"]: each["ListenerArn"]
        for each in account.every("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=arn)
    }
    elsewhere = [{"Type": "forward", "TargetGroupArn": targets[8042]}]
    elb.modify_listener(ListenerArn=listeners[443], DefaultActions=elsewhere)
    elb.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=23, DefaultActions=elsewhere)
    idle = [{"Key": "tcp.idle_timeout.seconds", "Value": "350"}]
    elb.modify_listener_attributes(ListenerArn=listeners[11112], Attributes=idle)
    elb.modify_target_group(TargetGroupArn=targets[443], HealthCheckProtocol="TCP")
    elb.modify_target_group_attributes(
        TargetGroupArn=targets[11112], Attributes=[{"Key": "stickiness.enabled", "Value": "true"}]
    )
    elb.deregister_targets(TargetGroupArn=targets[11112], Targets=[{"Id": host}])


def more(account: Account) -> None:
    """What DRIFT does not have, and a deployment fixes."""
    ec2, iam, kms, rds = (account.client(service) for service in ("ec2", "iam", "kms", "rds"))
    ours = [{"Name": "tag:orthweb:stack", "Values": ["orthweb"]}]
    groups = account.every("ec2", "describe_security_groups", "SecurityGroups", Filters=ours)
    ids = {each["GroupName"]: each["GroupId"] for each in groups}
    stray = [{"IpProtocol": "tcp", "FromPort": 23, "ToPort": 23, "IpRanges": WORLD}]
    ec2.authorize_security_group_egress(GroupId=ids["orthweb-database"], IpPermissions=stray)
    to_s3 = [*ours, {"Name": "service-name", "Values": ["com.amazonaws.us-east-1.s3"]}]
    (endpoint,) = account.every("ec2", "describe_vpc_endpoints", "VpcEndpoints", Filters=to_s3)
    everything = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2008-10-17", "Statement": [everything]})
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], PolicyDocument=policy)
    tables = account.every("ec2", "describe_route_tables", "RouteTables", Filters=ours)
    associations = [each for table in tables for each in table["Associations"] if each.get("SubnetId")]
    (public,) = [each for each in tables if {"Key": "Name", "Value": "orthweb-public"} in each["Tags"]]
    gateways = account.every("ec2", "describe_internet_gateways", "InternetGateways")
    theirs = [each for each in gateways if {"Key": "orthweb:stack", "Value": "orthweb"} not in each["Tags"]]
    route = {"RouteTableId": public["RouteTableId"], "DestinationCidrBlock": "0.0.0.0/0"}
    ec2.replace_route(**route, GatewayId=theirs[0]["InternetGatewayId"])
    ec2.disassociate_route_table(AssociationId=associations[0]["RouteTableAssociationId"])
    subnets = [each["SubnetId"] for each in account.every("ec2", "describe_subnets", "Subnets", Filters=ours)]
    ec2.modify_subnet_attribute(SubnetId=subnets[0], MapPublicIpOnLaunch={"Value": True})
    running = [*ours, {"Name": "instance-state-name", "Values": ["running"]}]
    hosts = account.every("ec2", "describe_instances", "Reservations", Filters=running)
    ec2.stop_instances(InstanceIds=[hosts[0]["Instances"][0]["InstanceId"]])
    profiles = account.every("ec2", "describe_iam_instance_profile_associations", "IamInstanceProfileAssociations")
    ec2.disassociate_iam_instance_profile(AssociationId=profiles[0]["AssociationId"])
    addresses = account.every("ec2", "describe_addresses", "Addresses", Filters=ours)
    ec2.disassociate_address(AssociationId=addresses[0]["AssociationId"])
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.update_assume_role_policy(RoleName=IMAGING_ROLE, PolicyDocument=document)
    iam.update_role(RoleName=IMAGING_ROLE, Description="by hand")
    iam.delete_role_permissions_boundary(RoleName=IMAGING_ROLE)
    iam.put_role_permissions_boundary(RoleName=FLOW_LOGS_ROLE, PermissionsBoundary=ADMINISTRATOR)
    key = kms.describe_key(KeyId="alias/orthweb")["KeyMetadata"]["KeyId"]
    kms.update_key_description(KeyId=key, Description="by hand")
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    rds.modify_db_subnet_group(DBSubnetGroupName="orthweb", DBSubnetGroupDescription="by hand", SubnetIds=subnets[:2])
    account.client("secretsmanager").delete_secret(SecretId="orthweb/database-orthanc", RecoveryWindowInDays=7)


def somebody_elses_vpc(account: Account) -> str:
    """With our name and our range, and without our tag."""
    ec2 = account.client("ec2")
    name = [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "orthweb"}]}]
    vpc = ec2.create_vpc(CidrBlock="10.42.0.0/16", TagSpecifications=name)["Vpc"]["VpcId"]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.42.0.0/18")
    ec2.create_security_group(VpcId=vpc, GroupName="orthweb-imaging", Description="not ours")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.create_tags(Resources=[gateway], Tags=[{"Key": "Name", "Value": "orthweb"}])
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    return vpc


def delete_snapshots(account: Account) -> None:
    for snapshot in account.every("rds", "describe_db_snapshots", "DBSnapshots"):
        account.client("rds").delete_db_snapshot(DBSnapshotIdentifier=snapshot["DBSnapshotIdentifier"])


def bucket_with_an_object(account: Account, name: str = "orthweb-made-by-hand") -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "orthweb:stack", "Value": "orthweb"}]})
    s3.put_object(Bucket=name, Key="an-image", Body=b"...")


def stray_volume(account: Account) -> None:
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "orthweb:stack", "Value": "orthweb"}]}]
    account.client("ec2").create_volume(Size=1, AvailabilityZone="us-east-1a", TagSpecifications=tags)
