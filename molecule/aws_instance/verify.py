# SPDX-License-Identifier: GPL-3.0-or-later
"""The host as EC2 describes it, what IAM lets it do, and that its private key is the one of the key pair."""

from __future__ import annotations

from api import STACK, client, looking, named, tags

ec2, iam = client("ec2"), client("iam")
(host,) = named("instances", f"{STACK}-imaging-1")["Instances"]
key = client("kms").describe_key(KeyId=f"alias/{STACK}")["KeyMetadata"]["Arn"]
role = f"{STACK}_us-east-1-imaging"

with looking() as expect:
    expect("state", host["State"]["Name"], "running")
    options = host["MetadataOptions"]
    expect("metadata only with a token", (options["HttpTokens"], options["HttpPutResponseHopLimit"]), ("required", 1))
    expect("role for the playbooks", tags(host["Tags"]).get("orthweb:role"), "imaging")
    group = named("security_groups", f"{STACK}-imaging")["GroupId"]
    expect("security groups", [each["GroupId"] for each in host["SecurityGroups"]], [group])
    subnet = named("subnets", f"{STACK}-public-us-east-1a")["SubnetId"]
    expect("subnet", host["SubnetId"], subnet)
    expect("key pair", host["KeyName"], STACK)
    profile = iam.get_instance_profile(InstanceProfileName=role)["InstanceProfile"]
    expect("profile", host["IamInstanceProfile"]["Arn"], profile["Arn"])
    expect("role of the profile", [each["RoleName"] for each in profile["Roles"]], [role])

    (mapping,) = host["BlockDeviceMappings"]
    (disk,) = ec2.describe_volumes(VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"]
    expect("root volume", (disk["VolumeType"], disk["Encrypted"], disk.get("KmsKeyId")), ("gp3", True, key))
    address = named("addresses", f"{STACK}-imaging-1")
    expect("whose address it is", address.get("InstanceId"), host["InstanceId"])
    expect("addresses of the account", len(ec2.describe_addresses()["Addresses"]), 1)

    expect("managed policies", iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"], [])
    policies = sorted(iam.list_role_policies(RoleName=role)["PolicyNames"])
    expect("policies", policies, ["write-audit-trail"])
    policy = iam.get_role_policy(RoleName=role, PolicyName="write-audit-trail")["PolicyDocument"]
    allowed = [action for each in policy["Statement"] for action in each["Action"]]
    expect("what it may do", allowed, ["logs:CreateLogStream", "logs:PutLogEvents"])
    groups = client("logs").describe_log_groups(logGroupNamePrefix=f"/orthweb/{STACK}/audit")["logGroups"]
    expect("days that the audit trail is kept", [each.get("retentionInDays") for each in groups], [3653])
