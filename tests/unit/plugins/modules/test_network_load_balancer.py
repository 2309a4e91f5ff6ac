# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.modules import network_load_balancer as module

TAGS = {"Name": "orthweb", "orthweb:stack": "orthweb"}
WANTED: dict[str, Any] = {
    "name": "orthweb",
    "tags": TAGS,
    "deletion_protection": True,
    "listeners": [{"port": 11112, "idle_timeout_seconds": 3900}, {"port": 443, "sticky": True}],
    "health_check": {"protocol": "HTTPS", "port": 443, "path": "/ready"},
}


class Place:
    """A VPC with two subnets, two hosts and a security group."""

    def __init__(self, account: Callable[[str], Any], run: Callable[..., dict[str, Any]]) -> None:
        self.elb, self.ec2, self._run = account("elbv2"), account("ec2"), run
        self.vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        self.subnets = [
            self.ec2.create_subnet(
                VpcId=self.vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"eu-central-1{zone}"
            )["Subnet"]["SubnetId"]
            for number, zone in enumerate("ab")
        ]
        self.group = self.ec2.create_security_group(GroupName="lb", Description="lb", VpcId=self.vpc)["GroupId"]
        image = self.ec2.describe_images()["Images"][0]["ImageId"]
        self.hosts = [
            self.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"][0]["InstanceId"]
            for subnet in self.subnets
        ]

    def run(self, **options: Any) -> dict[str, Any]:
        place = {"vpc_id": self.vpc, "subnets": self.subnets, "security_groups": [self.group], "targets": self.hosts}
        return self._run(module, **{**WANTED, **place, **options})

    def balancers(self) -> list[dict[str, Any]]:
        return self.elb.describe_load_balancers()["LoadBalancers"]

    def groups(self) -> dict[str, dict[str, Any]]:
        return {each["TargetGroupName"]: each for each in self.elb.describe_target_groups()["TargetGroups"]}

    def listeners(self) -> dict[int, dict[str, Any]]:
        arn = self.balancers()[0]["LoadBalancerArn"]
        return {each["Port"]: each for each in self.elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]}

    def targets(self, name: str) -> list[str]:
        health = self.elb.describe_target_health(TargetGroupArn=self.groups()[name]["TargetGroupArn"])
        return sorted(each["Target"]["Id"] for each in health["TargetHealthDescriptions"])

    def idle(self, port: int) -> str:
        said = self.elb.describe_listener_attributes(ListenerArn=self.listeners()[port]["ListenerArn"])["Attributes"]
        return {each["Key"]: each["Value"] for each in said}["tcp.idle_timeout.seconds"]


@pytest.fixture
def place(account: Callable[[str], Any], run: Callable[..., dict[str, Any]]) -> Place:
    return Place(account, run)


@pytest.mark.slow  # moto is a server of its own
class TestInAnAccount:
    def test_it_is_made_once(self, place: Place) -> None:
        would = place.run(check_mode=True)
        assert (would["changed"], would["arn"], would["dns_name"]) == (True, "", "")
        assert place.balancers() == [] and place.groups() == {}
        made = place.run()
        (balancer,) = place.balancers()
        assert made["changed"] and made["dns_name"] == balancer["DNSName"]
        assert (balancer["Type"], balancer["SecurityGroups"]) == ("network", [place.group])
        assert set(place.groups()) == {"orthweb-11112", "orthweb-443"}
        assert [place.targets(name) for name in place.groups()] == [sorted(place.hosts)] * 2
        assert (place.idle(11112), place.idle(443)) == ("3900", "350")
        again = place.run()
        assert (again["changed"], again["reasons"]) == (False, [])
        assert again["arn"] == made["arn"]

    def test_a_run_that_was_cut_off_is_finished(self, place: Place) -> None:
        place.run()
        arn = place.balancers()[0]["LoadBalancerArn"]
        off = [{"Key": "deletion_protection.enabled", "Value": "false"}]
        place.elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=off)
        place.elb.delete_load_balancer(LoadBalancerArn=arn)
        assert "load balancer missing" in place.run()["reasons"]
        assert set(place.listeners()) == {11112, 443}

    def test_only_what_differs_is_changed(self, place: Place) -> None:
        place.run()
        gone = place.run(listeners=WANTED["listeners"][:1], targets=place.hosts[:1], check_mode=True)
        assert gone["reasons"] == [
            f"{place.hosts[1]} superfluous in orthweb-11112",
            "listener 443 superfluous",
            "target group orthweb-443 superfluous",
        ]
        assert set(place.listeners()) == {11112, 443}
        assert place.run(listeners=WANTED["listeners"][:1], targets=place.hosts[:1])["reasons"] == gone["reasons"]
        assert set(place.listeners()) == {11112} and set(place.groups()) == {"orthweb-11112"}
        assert place.targets("orthweb-11112") == place.hosts[:1]

    def test_somebody_elses_is_not_touched(self, place: Place) -> None:
        place.elb.create_load_balancer(Name="orthweb", Type="network", Subnets=place.subnets)
        before = place.balancers()
        for state in ("present", "absent"):
            said = place.run(state=state)
            assert said["failed"] and "does not have the tag orthweb:stack=orthweb" in said["msg"]
        assert place.balancers() == before

    @pytest.mark.parametrize(
        ("options", "what"),
        [
            ({}, "it has no security group"),
            ({"security_groups": [], "scheme": "internal"}, "its Scheme is internet-facing instead of internal"),
        ],
    )
    def test_what_aws_does_not_change_is_said(self, place: Place, options: dict[str, Any], what: str) -> None:
        tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
        place.elb.create_load_balancer(
            Name="orthweb", Type="network", Scheme="internet-facing", Subnets=place.subnets, Tags=tags
        )
        said = place.run(**options)
        assert said["failed"] and what in said["msg"]
        assert place.groups() == {}

    def test_it_is_removed_with_its_protection_and_groups(self, place: Place) -> None:
        place.run()
        place.elb.create_target_group(Name="orthweb-8042", Protocol="TCP", Port=8042, VpcId=place.vpc)  # not ours
        would = place.run(state="absent", check_mode=True)
        assert would["changed"] and len(place.balancers()) == 1
        gone = place.run(state="absent")
        assert gone["reasons"] == would["reasons"]
        assert gone["reasons"][0] == "deletion_protection.enabled of the load balancer differs"
        assert place.balancers() == [] and set(place.groups()) == {"orthweb-8042"}
        assert not place.run(state="absent")["changed"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "a-name-with-twenty-seven-ch"}, "at most 32 characters"),
        ({"name": "ends-with-a-hyphen-"}, 'name is "ends-with-a-hyphen-"'),
        ({"name": "internal-one"}, 'not "internal-" at the beginning'),
        ({"listeners": [{"port": 443, "idle_timeout_seconds": 350}] * 2}, "a port twice"),
        ({"listeners": [{"port": 443, "idle_timeout_seconds": 59}]}, "port 443 is 59; AWS takes 60 to 6000"),
        ({"listeners": [{"port": 443, "idle_timeout_seconds": 6001}]}, "port 443 is 6001"),
        ({"tags": {"Name": "orthweb"}}, "tags must include orthweb:stack"),
    ],
)
def test_what_aws_would_refuse_is_refused_first(changed: dict[str, Any], said: str) -> None:
    right = {"name": "orthweb", "tags": TAGS, "listeners": [{"port": 11112, "idle_timeout_seconds": 6000}]}
    assert module.problems(right) == []
    assert module.problems({**right, "name": "a-name-with-twenty-six-char"[:26]}) == []
    (problem,) = module.problems({**right, **changed})
    assert said in problem
