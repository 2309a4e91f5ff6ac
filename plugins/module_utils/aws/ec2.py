# SPDX-License-Identifier: GPL-3.0-or-later
"""Resources of EC2: one call finds those with the stack's tag, one those that have a name of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .resource import (
    STACK_TAG,
    Question,
    pages,
    resource,
    tags_of,
)


@dataclass(frozen=True)
class Kind:
    """How one kind is asked for.

    :ivar answer: key of the answer that has the list
    :ivar name: key of an item that has its name; empty where the name is the tag ``Name``
    :ivar state: key of an item that has its state, or what makes one of it
    :ivar more: what else is told: our key to AWS's, or to what makes it of an item
    """

    call: str
    answer: str
    id: str
    name: str = ""
    name_filter: str = "tag:Name"
    filters: str = "Filters"
    state: str | Callable[[dict[str, Any]], str] = ""
    more: Mapping[str, str | Callable[[dict[str, Any]], Any]] = field(default_factory=dict)


def _routes(item: dict[str, Any]) -> dict[str, str]:
    """Destination to target, without what AWS has in every table, and without the ways to gateway endpoints."""
    found = {}
    for route in item.get("Routes", []):
        destination = next((value for key, value in sorted(route.items()) if key.startswith("Destination")), "")
        target = next((value for key, value in sorted(route.items()) if key in _TARGETS), "")
        if target != "local" and not target.startswith("vpce-"):
            found[destination] = target
    return found


_TARGETS = {
    "CarrierGatewayId",
    "CoreNetworkArn",
    "EgressOnlyInternetGatewayId",
    "GatewayId",
    "InstanceId",
    "LocalGatewayId",
    "NatGatewayId",
    "NetworkInterfaceId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
}

_PROTOCOLS = {"-1": "all", "1": "icmp", "6": "tcp", "17": "udp"}
# AWS's own rule at the end of each network ACL.
_LAST_RULE = 32767


def _acl_rules(*, egress: bool) -> Callable[[dict[str, Any]], list[list[Any]]]:
    """Rules as amazon.aws.ec2_vpc_nacl has them, in the order of their numbers."""

    def rules(item: dict[str, Any]) -> list[list[Any]]:
        found = []
        for entry in item.get("Entries", []):
            if bool(entry["Egress"]) == egress and entry["RuleNumber"] < _LAST_RULE:
                ports = entry.get("PortRange") or {}
                network = entry.get("CidrBlock") or entry.get("Ipv6CidrBlock")
                protocol = _PROTOCOLS.get(entry["Protocol"], entry["Protocol"])
                rule = [entry["RuleNumber"], protocol, entry["RuleAction"], network, None, None]
                found.append([*rule, ports.get("From"), ports.get("To")])
        return sorted(found, key=lambda rule: rule[0])

    return rules


def _policy(item: dict[str, Any]) -> Any:
    """The policy of an endpoint; None where AWS's default is in force."""
    return json.loads(item.get("PolicyDocument") or "null")


KINDS: dict[str, Kind] = {
    "subnets": Kind(
        "describe_subnets",
        "Subnets",
        "SubnetId",
        state="State",
        more={
            "vpc_id": "VpcId",
            "cidr": "CidrBlock",
            "zone": "AvailabilityZone",
            "map_public": "MapPublicIpOnLaunch",
            "assign_ipv6": "AssignIpv6AddressOnCreation",
        },
    ),
    "internet_gateways": Kind(
        "describe_internet_gateways",
        "InternetGateways",
        "InternetGatewayId",
        state=lambda item: "attached" if item.get("Attachments") else "detached",
        more={"vpc_ids": "Attachments.VpcId"},
    ),
    "route_tables": Kind(
        "describe_route_tables",
        "RouteTables",
        "RouteTableId",
        more={"vpc_id": "VpcId", "subnet_ids": "Associations.SubnetId", "routes": _routes},
    ),
    "vpc_endpoints": Kind(
        "describe_vpc_endpoints",
        "VpcEndpoints",
        "VpcEndpointId",
        state="State",
        more={
            "vpc_id": "VpcId",
            "service_name": "ServiceName",
            "type": "VpcEndpointType",
            "route_table_ids": "RouteTableIds",
            "policy": _policy,
            "subnet_ids": "SubnetIds",
            "security_group_ids": "Groups.GroupId",
        },
    ),
    "network_acls": Kind(
        "describe_network_acls",
        "NetworkAcls",
        "NetworkAclId",
        more={
            "vpc_id": "VpcId",
            "subnet_ids": "Associations.SubnetId",
            "ingress": _acl_rules(egress=False),
            "egress": _acl_rules(egress=True),
        },
    ),
    "security_groups": Kind(
        "describe_security_groups",
        "SecurityGroups",
        "GroupId",
        name="GroupName",
        name_filter="group-name",
        more={"vpc_id": "VpcId"},
    ),
    "key_pairs": Kind(
        "describe_key_pairs",
        "KeyPairs",
        "KeyPairId",
        name="KeyName",
        name_filter="key-name",
        more={"fingerprint": "KeyFingerprint"},
    ),
    "volumes": Kind(
        "describe_volumes",
        "Volumes",
        "VolumeId",
        state="State",
        more={"size_gb": "Size", "encrypted": "Encrypted", "instance_ids": "Attachments.InstanceId"},
    ),
    "addresses": Kind(
        "describe_addresses",
        "Addresses",
        "AllocationId",
        state=lambda item: "associated" if item.get("AssociationId") else "free",
        more={"public_address": "PublicIp", "instance_id": "InstanceId", "association_id": "AssociationId"},
    ),
    "flow_logs": Kind(
        "describe_flow_logs",
        "FlowLogs",
        "FlowLogId",
        filters="Filter",
        state="FlowLogStatus",
        more={
            "vpc_id": "ResourceId",
            "log_group_name": "LogGroupName",
            "role_arn": "DeliverLogsPermissionArn",
            "traffic_type": "TrafficType",
            "aggregation_seconds": "MaxAggregationInterval",
            "delivery_problem": "DeliverLogsErrorMessage",
        },
    ),
    "network_interfaces": Kind(
        "describe_network_interfaces",
        "NetworkInterfaces",
        "NetworkInterfaceId",
        state="Status",
        more={"vpc_id": "VpcId", "subnet_id": "SubnetId", "description": "Description"},
    ),
}


def ask(kind: Kind) -> Callable[[Question], list[dict[str, Any]]]:
    """What answers a question about this kind."""

    def answer(question: Question) -> list[dict[str, Any]]:
        return [_described(kind, item) for item in _found(question, kind)]

    return answer


def vpcs(question: Question) -> list[dict[str, Any]]:
    """VPCs; of ours also what takes calls of its own: DNS, and the rules of the default security group."""
    kind = Kind("describe_vpcs", "Vpcs", "VpcId", state="State", more={"cidr": "CidrBlock"})
    found = ask(kind)(question)
    for vpc in found:
        if question.is_ours(vpc["tags"]):
            for ours, theirs in [("dns_support", "EnableDnsSupport"), ("dns_hostnames", "EnableDnsHostnames")]:
                attribute = theirs[0].lower() + theirs[1:]
                answer = question.client.describe_vpc_attribute(VpcId=vpc["id"], Attribute=attribute)
                vpc[ours] = answer[theirs]["Value"]
            filters = [{"Name": "vpc-id", "Values": [vpc["id"]]}, {"Name": "group-name", "Values": ["default"]}]
            groups = pages(question.client, "describe_security_groups", "SecurityGroups", Filters=filters)
            rules = [rule for each in groups for rule in each["IpPermissions"] + each["IpPermissionsEgress"]]
            vpc["default_group_rules"] = len(rules)
    return found


def instances(question: Question) -> list[dict[str, Any]]:
    reservations = Kind("describe_instances", "Reservations", "ReservationId")
    return [_instance(item) for each in _found(question, reservations) for item in each["Instances"]]


def _found(question: Question, kind: Kind) -> list[dict[str, Any]]:
    filters = [{"Name": f"tag:{STACK_TAG}", "Values": [question.stack]}]
    items = pages(question.client, kind.call, kind.answer, **{kind.filters: filters})
    if question.names:
        filters = [{"Name": kind.name_filter, "Values": list(question.names)}]
        items += pages(question.client, kind.call, kind.answer, **{kind.filters: filters})
    return list({item[kind.id]: item for item in items}.values())


def _described(kind: Kind, item: dict[str, Any]) -> dict[str, Any]:
    tags = tags_of(item.get("Tags"))
    state = item.get(kind.state) if isinstance(kind.state, str) else kind.state(item)
    more = {
        ours: _value(item, theirs) if isinstance(theirs, str) else theirs(item) for ours, theirs in kind.more.items()
    }
    return resource(item[kind.id], item[kind.name] if kind.name else tags.get("Name", ""), state, tags, **more)


def _value(item: dict[str, Any], key: str) -> Any:
    """``Key``, or ``List.Key`` for that key of each member that has it."""
    many, dot, one = key.partition(".")
    return sorted(each[one] for each in item.get(many, []) if each.get(one)) if dot else item.get(key)


def _instance(item: dict[str, Any]) -> dict[str, Any]:
    tags = tags_of(item.get("Tags"))
    return resource(
        item["InstanceId"],
        tags.get("Name", ""),
        item["State"]["Name"],
        tags,
        image_id=item["ImageId"],
        type=item["InstanceType"],
        zone=item["Placement"]["AvailabilityZone"],
        subnet_id=item.get("SubnetId"),
        security_group_ids=sorted(group["GroupId"] for group in item.get("SecurityGroups", [])),
        key_name=item.get("KeyName"),
        instance_profile=item.get("IamInstanceProfile", {}).get("Arn", "").rpartition("/")[2] or None,
        metadata_tokens=item.get("MetadataOptions", {}).get("HttpTokens"),
        metadata_endpoint=item.get("MetadataOptions", {}).get("HttpEndpoint"),
        metadata_hop_limit=item.get("MetadataOptions", {}).get("HttpPutResponseHopLimit"),
        private_address=item.get("PrivateIpAddress"),
        public_address=item.get("PublicIpAddress"),
        private_dns_name=item.get("PrivateDnsName") or None,
        public_dns_name=item.get("PublicDnsName") or None,
    )
