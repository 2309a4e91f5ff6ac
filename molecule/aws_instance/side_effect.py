# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody saves on a host and its address; somebody else tries out whether it works with more rights."""

from __future__ import annotations

import json

from api import STACK, client, named

ec2, iam = client("ec2"), client("iam")
(host,) = named("instances", f"{STACK}-imaging-1")["Instances"]
# moto forgets the options that are not given, which AWS keeps.
ec2.modify_instance_metadata_options(
    InstanceId=host["InstanceId"],
    HttpTokens="optional",
    HttpPutResponseHopLimit=2,
    HttpEndpoint="enabled",
    HttpProtocolIpv6="disabled",
    InstanceMetadataTags="disabled",
)
address = named("addresses", f"{STACK}-imaging-1")
ec2.disassociate_address(AssociationId=address["AssociationId"])
ec2.release_address(AllocationId=address["AllocationId"])
ec2.stop_instances(InstanceIds=[host["InstanceId"]])

role = f"{STACK}_us-east-1-imaging"
iam.attach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
reading = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}
iam.put_role_policy(RoleName=role, PolicyName="by-hand", PolicyDocument=json.dumps(reading))
iam.put_role_policy(RoleName=role, PolicyName="write-audit-trail", PolicyDocument=json.dumps(reading))
