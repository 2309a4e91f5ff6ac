# SPDX-License-Identifier: GPL-3.0-or-later
"""What the simulated AWS refuses of a load balancer, as AWS does; the module and the policy live with it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws import network_load_balancer
from ansible_collections.cellcs.orthweb.plugins.module_utils.aws.elb_calls import Calls
from botocore.exceptions import ClientError

from support.aws.account import REGION, Account, role
from support.aws.permissions import refused

TAGS = {"Name": "orthweb", "orthweb:stack": "orthweb"}


class Place:
    """A VPC with a gateway, two subnets, a host and a security group; and the module with wishes for it."""

    def __init__(self, account: Account) -> None:
        self.account, self.ec2, self.elb = account, account.client("ec2"), account.client("elbv2")
        account.reset()
        account.post("/rehearsal/settings", {"interface_seconds": 3600})
        self.vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")[
                "Subnet"
            ]["SubnetId"]
            for number, zone in enumerate("ab")
        ]
        self.group = self.ec2.create_security_group(GroupName="lb", Description="lb", VpcId=self.vpc)["GroupId"]
        self.gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]

    def attach(self) -> None:
        self.ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)

    def create(self, **more: Any) -> str:
        wanted = {"Name": "orthweb", "Type": "network", "Subnets": self.subnets, "Scheme": "internet-facing", **more}
        return self.elb.create_load_balancer(**wanted)["LoadBalancers"][0]["LoadBalancerArn"]

    def keep(self, **changed: Any) -> list[str]:
        calls = Calls(self.account.client("elbv2"), TAGS, check_mode=False)
        calls.client = Patient(calls.client)
        wanted = {
            "name": "orthweb",
            "vpc_id": self.vpc,
            "scheme": "internet-facing",
            "subnets": self.subnets,
            "security_groups": [self.group],
            "cross_zone": True,
            "deletion_protection": True,
            "listeners": [{"port": 11112, "idle_timeout_seconds": 3900, "sticky": False}],
            "targets": [],
            "health_check": {
                "protocol": "HTTPS",
                "port": 443,
                "path": "/ready",
                "interval_seconds": 10,
                "timeout_seconds": 5,
                "healthy_count": 2,
                "unhealthy_count": 2,
            },
            "deregistration_delay_seconds": 300,
            **changed,
        }
        network_load_balancer.present(calls, wanted)
        return calls.reasons

    def attributes(self, group: str) -> dict[str, str]:
        said = self.elb.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
        return {each["Key"]: each["Value"] for each in said}

    def remove(self) -> None:
        network_load_balancer.absent(Calls(Patient(self.elb), TAGS, check_mode=False), "orthweb")


class Patient:
    """A client that takes aws_retry, as that of amazon.aws does."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.client, name)
        return lambda aws_retry=True, **arguments: call(**arguments)

    def can_paginate(self, name: str) -> bool:
        return bool(self.client.can_paginate(name))

    def get_paginator(self, name: str) -> Any:
        return self.client.get_paginator(name)


@pytest.fixture
def place(account: Account) -> Place:
    return Place(account)


def code(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def test_names_gateway_and_zones_are_checked(place: Place) -> None:
    assert code(place.create) == "InvalidSubnet"  # no way to the Internet yet
    place.attach()
    for name in ("internal-one", "ends-", "a" * 33):
        assert code(place.create, Name=name) == "ValidationError", name
    assert code(place.create, Subnets=place.subnets[:1] * 2) == "InvalidConfigurationRequest"
    assert ":loadbalancer/net/orthweb/" in place.create()
    (made,) = place.elb.describe_load_balancers()["LoadBalancers"]
    assert re.fullmatch(rf"orthweb-[0-9a-f]{{16}}\.elb\.{REGION}\.amazonaws\.com", made["DNSName"])


def test_a_group_is_taken_only_when_it_is_made(place: Place) -> None:
    place.attach()
    arn = place.create()
    groups = {"LoadBalancerArn": arn, "SecurityGroups": [place.group]}
    assert code(place.elb.set_security_groups, **groups) == "InvalidConfigurationRequest"


def test_what_it_holds_cannot_be_deleted_until_its_interfaces_are_gone(place: Place) -> None:
    place.attach()
    place.keep()
    arn = place.elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    assert code(place.elb.delete_load_balancer, LoadBalancerArn=arn) == "OperationNotPermitted"
    deletions = (
        (place.ec2.delete_subnet, {"SubnetId": place.subnets[0]}),
        (place.ec2.delete_security_group, {"GroupId": place.group}),
        (place.ec2.detach_internet_gateway, {"InternetGatewayId": place.gateway, "VpcId": place.vpc}),
    )
    for call, arguments in deletions:
        assert code(call, **arguments) == "DependencyViolation", arguments
    place.remove()
    assert place.elb.describe_load_balancers()["LoadBalancers"] == []
    for call, arguments in deletions:
        assert code(call, **arguments) == "DependencyViolation", arguments
    place.account.post("/rehearsal/settings", {"interface_seconds": 0})
    for call, arguments in deletions:
        call(**arguments)


def test_idle_time_outs_and_targets_of_another_vpc_are_refused(place: Place) -> None:
    place.attach()
    place.keep()
    arn = place.elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    listener = place.elb.describe_listeners(LoadBalancerArn=arn)["Listeners"][0]["ListenerArn"]
    for seconds in ("59", "6001"):
        idle = [{"Key": "tcp.idle_timeout.seconds", "Value": seconds}]
        attributes = {"ListenerArn": listener, "Attributes": idle}
        assert code(place.elb.modify_listener_attributes, **attributes) == "InvalidConfigurationRequest"
    image = place.ec2.describe_images()["Images"][0]["ImageId"]
    elsewhere = place.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    group = place.elb.describe_target_groups()["TargetGroups"][0]["TargetGroupArn"]
    wrong = {"TargetGroupArn": group, "Targets": [{"Id": elsewhere}]}
    assert code(place.elb.register_targets, **wrong) == "InvalidTarget"


def test_a_host_that_is_taken_out_keeps_its_associations(place: Place) -> None:
    """AWS cuts the connections of an unhealthy target, unless it is told not to."""
    place.attach()
    cuts = "target_health_state.unhealthy.connection_termination.enabled"
    wanted = {"Protocol": "TCP", "Port": 104, "VpcId": place.vpc, "TargetType": "instance"}
    group = place.elb.create_target_group(Name="others", **wanted)
    assert place.attributes(group["TargetGroups"][0]["TargetGroupArn"])[cuts] == "true"
    place.keep()
    ours = place.elb.describe_target_groups(Names=["orthweb-11112"])["TargetGroups"][0]["TargetGroupArn"]
    assert place.attributes(ours)[cuts] == "false"
    assert place.attributes(ours)["deregistration_delay.connection_termination.enabled"] == "false"


def test_a_host_that_was_drained_is_waited_for_where_the_account_is(place: Place, tmp_path: Path) -> None:
    """With the account's credentials, and not on the host: here, one whose nginx says that images can be stored."""
    place.attach()
    image = place.ec2.describe_images()["Images"][0]["ImageId"]
    (one, other) = place.ec2.run_instances(ImageId=image, MinCount=2, MaxCount=2, SubnetId=place.subnets[0])[
        "Instances"
    ]
    place.keep(targets=[one["InstanceId"]])
    (tmp_path / "docker").write_text("#!/bin/sh\necho 200\n")
    (tmp_path / "docker").chmod(0o755)
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    names = {"used": one["InstanceId"], "unused": other["InstanceId"]}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": dict.fromkeys(names, here)}}))
    used = role("drain", "used")
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    (tmp_path / "play.yml").write_text(
        yaml.safe_dump([{"hosts": "used:unused", "gather_facts": False, "environment": path, "tasks": [used]}])
    )
    run = place.account.play(
        tmp_path / "play.yml",
        f"--inventory={tmp_path / 'hosts.yml'}",
        orthweb_balancer="present",
        drain_notice_seconds=1,
        aws_instance_ids=names,
        aws_balancer_ports=[11112],
        aws_balancer_wait_seconds=2,
        __aws_balancer_pause_seconds=1,
    )
    assert run.code != 0
    assert "[used -> aws" in run.output
    assert "The load balancer orthweb sends nobody to unused at port 11112 (not registered)." in run.message
    assert "sends nobody to used" not in run.message
    assert {"DescribeTargetGroups", "DescribeTargetHealth"} <= {call["action"] for call in run.calls}
    assert run.writes == []


def test_the_module_repairs_it_here_too_and_the_policy_allows_that(place: Place) -> None:
    place.attach()
    calls_before = len(place.account.log.read_text().splitlines())
    assert place.keep()[0] == "target group orthweb-11112 missing"
    assert place.keep() == []
    assert place.keep(cross_zone=False) == ["load_balancing.cross_zone.enabled of the load balancer differs"]
    place.remove()
    calls = [call for call in place.account.calls()[calls_before:] if call["service"] == "elasticloadbalancing"]
    assert {"CreateLoadBalancer", "ModifyListenerAttributes", "DeleteTargetGroup"} <= {call["action"] for call in calls}
    assert refused(calls, "orthweb") == set()
    changes = [call for call in calls if not call["action"].startswith("Describe")]
    assert all(refused([call], "orthweb-too") and refused([call], "orth") for call in changes)
