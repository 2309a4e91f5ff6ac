# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.modules import aws_alarms as module

pytestmark = pytest.mark.slow  # moto is a server of its own

KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ADDRESSES = ["it@clinic.example"]
Run = Callable[..., dict[str, Any]]


class Stack:
    """One host, and no database: RDS's events are seen in tests/aws."""

    def __init__(self, account: Callable[[str], Any], run: Run) -> None:
        self.ec2, self.sns, self.cloudwatch = (account(each) for each in ("ec2", "sns", "cloudwatch"))
        self.elb = account("elbv2")
        self._run = run

    def host(self) -> str:
        image = self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        tags = [{"Key": "Name", "Value": "clinic-imaging-1"}, {"Key": "orthweb:stack", "Value": "clinic"}]
        specified = [{"ResourceType": "instance", "Tags": tags}]
        made = self.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=specified)
        return made["Instances"][0]["InstanceId"]

    def balancer(self, tags: list[dict[str, str]]) -> dict[str, str]:
        """As CloudWatch names it and its target group."""
        vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        subnet = self.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        made = self.elb.create_load_balancer(Name="clinic", Type="network", Subnets=[subnet], Tags=tags)
        group = {"Protocol": "TCP", "Port": 443, "VpcId": vpc, "Tags": tags}
        groups = self.elb.create_target_group(Name="clinic-443", **group)["TargetGroups"]
        return {
            "LoadBalancer": made["LoadBalancers"][0]["LoadBalancerArn"].partition(":loadbalancer/")[2],
            "TargetGroup": groups[0]["TargetGroupArn"].rpartition(":")[2],
        }

    def run(self, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        given = {"stack": "clinic", "addresses": ADDRESSES, "kms_key_id": KEY, **options}
        return self._run(module, check_mode=check_mode, **given)

    def alarms(self) -> dict[str, dict[str, Any]]:
        return {each["AlarmName"]: each for each in self.cloudwatch.describe_alarms()["MetricAlarms"]}


@pytest.fixture
def stack(account: Callable[[str], Any], run: Run) -> Stack:
    return Stack(account, run)


def test_topic_and_alarms_are_made_once(stack: Stack) -> None:
    instance = stack.host()
    planned = stack.run(check_mode=True, hosts=["clinic-imaging-1"])
    assert (planned["changed"], planned["diff"]["before"], stack.alarms()) == (True, {}, {})
    assert stack.sns.list_topics()["Topics"] == []
    made = stack.run()
    assert made["alarms"] == planned["alarms"] == sorted(stack.alarms())
    topic = stack.sns.get_topic_attributes(TopicArn=made["topic_arn"])["Attributes"]
    assert topic["KmsMasterKeyId"] == KEY
    (mail,) = stack.sns.list_subscriptions_by_topic(TopicArn=made["topic_arn"])["Subscriptions"]
    assert (mail["Protocol"], mail["Endpoint"]) == ("email", "it@clinic.example")
    for alarm in stack.alarms().values():
        assert alarm["Dimensions"] == [{"Name": "InstanceId", "Value": instance}]
        tags = stack.cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        assert tags == [{"Key": "orthweb:stack", "Value": "clinic"}]
    assert stack.run()["changed"] is False
    assert stack.run(check_mode=True, hosts=["clinic-imaging-1"])["changed"] is False


def test_hosts_that_are_to_come_are_in_the_plan_only(stack: Stack) -> None:
    assert len(stack.run(check_mode=True, hosts=["clinic-imaging-1"])["alarms"]) == 2
    assert stack.run(hosts=["clinic-imaging-1"])["alarms"] == []


def test_alarms_follow_a_host_that_was_made_again_and_go_with_it(stack: Stack) -> None:
    first = stack.host()
    stack.run()
    stack.ec2.terminate_instances(InstanceIds=[first])
    second = stack.host()
    assert stack.run()["changed"]
    assert {alarm["Dimensions"][0]["Value"] for alarm in stack.alarms().values()} == {second}
    stack.ec2.terminate_instances(InstanceIds=[second])
    assert stack.run(check_mode=True)["changed"]
    assert len(stack.alarms()) == 2
    assert stack.run()["changed"]
    assert stack.alarms() == {}


def test_a_load_balancer_is_found_by_its_tag(stack: Stack) -> None:
    stack.host()
    planned = stack.run(check_mode=True, balancer=True)
    assert {"clinic/balancer-no-host", "clinic/balancer-unhealthy"} < set(planned["alarms"])
    named = stack.balancer([{"Key": "orthweb:stack", "Value": "clinic"}])
    stack.run(balancer=True)
    alarm = stack.alarms()["clinic/balancer-no-host"]
    assert {each["Name"]: each["Value"] for each in alarm["Dimensions"]} == named
    assert named["TargetGroup"].startswith("targetgroup/clinic-443/")
    assert not stack.run(balancer=True)["changed"]
    stack.run(balancer=False)
    assert set(stack.alarms()) == {"clinic/clinic-imaging-1-system", "clinic/clinic-imaging-1-instance"}


def test_a_load_balancer_of_another_stack_is_not_watched(stack: Stack) -> None:
    stack.host()
    stack.balancer([{"Key": "orthweb:stack", "Value": "ward"}])
    stack.run(balancer=True)
    assert not [name for name in stack.alarms() if "balancer" in name]


def test_a_renewed_certificate_moves_its_alarm(stack: Stack) -> None:
    stack.host()
    certificate = {"path": "/pki/server.crt", "not_valid_after": "2027-12-24T15:59:59Z", "days": 14}
    stack.run(certificate=certificate)
    (expression,) = [
        each["Expression"] for each in stack.alarms()["clinic/certificates"]["Metrics"] if "Expression" in each
    ]
    assert expression == "(1829663999 - EPOCH(clock)) / 86400"
    assert not stack.run(certificate=certificate)["changed"]
    assert stack.run(certificate={**certificate, "not_valid_after": "2028-12-24T15:59:59Z"})["changed"]
    assert "2028-12-24" in stack.alarms()["clinic/certificates"]["AlarmDescription"]


def test_aws_is_not_asked_again_for_tags_that_are_known(stack: Stack) -> None:
    stack.host()
    stack.run()
    arns = [each["AlarmArn"] for each in stack.alarms().values()]
    theirs = [{"arn": arn, "tags": {"orthweb:stack": "ward"}} for arn in arns]
    assert "it is somebody else's" in stack.run(surveyed=theirs)["msg"]
    assert not stack.run(surveyed=[{"arn": arn, "tags": {"orthweb:stack": "clinic"}} for arn in arns])["changed"]


def test_tags_and_key_that_differ_are_set(stack: Stack) -> None:
    stack.host()
    topic = stack.run()["topic_arn"]
    stack.sns.set_topic_attributes(TopicArn=topic, AttributeName="KmsMasterKeyId", AttributeValue="alias/aws/sns")
    assert stack.run(tags={"team": "imaging"})["changed"]
    assert stack.sns.get_topic_attributes(TopicArn=topic)["Attributes"]["KmsMasterKeyId"] == KEY
    wanted = [{"Key": "orthweb:stack", "Value": "clinic"}, {"Key": "team", "Value": "imaging"}]
    arns = [each["AlarmArn"] for each in stack.alarms().values()]
    found = [stack.cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] for arn in arns]
    found.append(stack.sns.list_tags_for_resource(ResourceArn=topic)["Tags"])
    assert [sorted(tags, key=lambda tag: tag["Key"]) for tags in found] == [wanted] * 3
    assert not stack.run(tags={"team": "imaging"})["changed"]


def test_somebody_who_left_is_named_and_keeps_the_subscription(stack: Stack) -> None:
    topic = stack.run()["topic_arn"]
    said = stack.run(addresses=["other@clinic.example"])["said"]
    assert any(each.startswith("it@clinic.example still gets alarms") for each in said)
    assert len(stack.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]) == 2


def test_an_alarm_of_somebody_else_is_not_touched(stack: Stack) -> None:
    stack.host()
    rule = {"Namespace": "theirs", "MetricName": "m", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0}
    more = {"ComparisonOperator": "LessThanThreshold", "Statistic": "Sum"}
    stack.cloudwatch.put_metric_alarm(AlarmName="clinic/by-hand", **rule, **more)
    stack.cloudwatch.put_metric_alarm(AlarmName="clinic/clinic-imaging-1-system", **rule, **more)
    refused = stack.run()
    assert refused["failed"]
    assert "clinic/clinic-imaging-1-system exists without the tag orthweb:stack=clinic" in refused["msg"]
    assert stack.sns.list_topics()["Topics"] == []
    stack.cloudwatch.delete_alarms(AlarmNames=["clinic/clinic-imaging-1-system"])
    assert stack.run()["diff"]["before"] == {}
    stack.run(state="absent")
    assert set(stack.alarms()) == {"clinic/by-hand"}


def test_all_of_it_is_removed_once(stack: Stack) -> None:
    stack.host()
    stack.run()
    assert stack.run(check_mode=True, state="absent")["changed"]
    assert len(stack.alarms()) == 2
    assert stack.run(state="absent")["changed"]
    assert (stack.alarms(), stack.sns.list_topics()["Topics"]) == ({}, [])
    assert not stack.run(state="absent")["changed"]
