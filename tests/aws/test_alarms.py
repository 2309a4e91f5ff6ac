# SPDX-License-Identifier: GPL-3.0-or-later
"""Alarms in a stack's life: who is told, whether it could be sent, and that none stays."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.aws.account import Account, role
from support.aws.life import ADDRESSES, CERTIFICATE_DAYS, Lifecycle, Step
from support.aws.listing import tags

TOPIC = "orthweb-alarms"


def alarms(step: Step) -> dict[str, dict[str, Any]]:
    return {each["AlarmName"]: each for each in step.raw["alarms"]}


def as_made(step: Step) -> None:
    (topic,) = step.raw["topics"]
    assert topic["TopicArn"].endswith(f":{TOPIC}")
    assert topic["KmsMasterKeyId"] == step.more["key"]["Arn"]
    (events,) = step.raw["event_subscriptions"]
    assert (events["SnsTopicArn"], events["Enabled"]) == (topic["TopicArn"], True)
    assert (events["SourceType"], events["SourceIdsList"]) == ("db-instance", ["orthweb"])
    assert {"configuration change", "failover", "failure", "low storage", "maintenance", "notification"} <= set(
        events["EventCategoriesList"]
    )
    assert "backup" not in events["EventCategoriesList"]
    hosts = {tags(each["Tags"])["Name"]: each["InstanceId"] for each in step.raw["instances"]}
    watched = {
        alarm["Dimensions"][0]["Value"]: alarm
        for alarm in alarms(step).values()
        if alarm.get("MetricName") == "StatusCheckFailed_System"
    }
    assert set(watched) == set(hosts.values())
    for alarm in watched.values():
        assert "arn:aws:automate:us-east-1:ec2:recover" in alarm["AlarmActions"]
    groups = {each["TargetGroupArn"].rpartition(":")[2] for each in step.raw["target_groups"]}
    for what in ("unhealthy", "no-host"):
        named = {each["Name"]: each["Value"] for each in alarms(step)[f"orthweb/balancer-{what}"]["Dimensions"]}
        (balancer,) = step.raw["load_balancers"]
        assert balancer["LoadBalancerArn"].endswith(f":loadbalancer/{named['LoadBalancer']}")
        assert named["TargetGroup"] in groups
    for alarm in alarms(step).values():
        assert topic["TopicArn"] in alarm["AlarmActions"]
        assert alarm["OKActions"] == [topic["TopicArn"]]
        assert alarm["ActionsEnabled"]
        assert len(alarm["AlarmDescription"]) > 150


def test_everything_that_fails_is_mailed(lifecycle: Lifecycle) -> None:
    as_made(lifecycle.created)


def test_who_has_not_agreed_yet_is_named(lifecycle: Lifecycle) -> None:
    for address in ADDRESSES:
        assert f"{address} gets no alarms yet" in lifecycle.created.run.output


def test_what_somebody_changed_is_put_right_and_a_new_host_is_watched(lifecycle: Lifecycle) -> None:
    lifecycle.drifted.run.ok()
    lifecycle.fixed.run.ok()
    as_made(lifecycle.fixed)
    assert set(alarms(lifecycle.fixed)) == {*alarms(lifecycle.created), "orthweb/certificates"}


def test_the_certificate_that_ends_first_is_watched_although_nobody_deploys(lifecycle: Lifecycle) -> None:
    alarm = alarms(lifecycle.fixed)["orthweb/certificates"]
    assert "server.crt ends on " in alarm["AlarmDescription"]
    (expression,) = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
    ends = datetime.fromtimestamp(int(expression[1:11]), tz=UTC)
    assert timedelta(days=CERTIFICATE_DAYS - 2) < ends - datetime.now(tz=UTC) < timedelta(days=CERTIFICATE_DAYS + 1)
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == (14, "breaching")


def test_a_teardown_silences_them_first(lifecycle: Lifecycle) -> None:
    lifecycle.gone.run.ok()
    changes = lifecycle.gone.run.changes
    removed = changes.index("absent | Remove topic, alarms and the subscription to RDS's events")
    assert removed < changes.index("absent | Delete RDS PostgreSQL")
    assert not any(lifecycle.gone.raw[kind] for kind in ("alarms", "topics", "event_subscriptions"))


@pytest.mark.long
def test_without_addresses_there_are_none_and_the_plan_says_so(lifecycle: Lifecycle) -> None:
    assert len(lifecycle.revived.raw["topics"]) == 1
    lifecycle.changed.run.ok()
    assert not any(lifecycle.changed.raw[kind] for kind in ("alarms", "topics", "event_subscriptions"))
    assert "as orthweb_alarm_addresses is empty" in " ".join(lifecycle.changed.run.output.split())


def test_a_key_with_which_no_alarm_could_be_sent_is_refused(account: Account) -> None:
    key = {"name": "alias/orthweb", "arn": "arn:aws:kms:us-east-1:123456789012:key/1", "services": ["s3.amazonaws.com"]}
    check = [role("aws_alarms", "check")]
    survey = {"resources": {"kms_keys": []}, "going": {"kms_keys": [key]}}
    refused = account.play_tasks(check, aws_survey_stack=survey, orthweb_alarm_addresses=ADDRESSES).failed()
    assert "does not let cloudwatch.amazonaws.com and events.rds.amazonaws.com use it" in refused.message
    assert refused.writes == []
    account.play_tasks(check, aws_survey_stack=survey, orthweb_alarm_addresses=[]).ok()


PLAIN = {"Namespace": "n", "MetricName": "m", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 5}
CLOCK = {
    "Id": "clock",
    "MetricStat": {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 3600, "Stat": "Sum"},
    "ReturnData": False,
}
DAYS = {"Id": "days", "Expression": "EPOCH(clock)", "ReturnData": True}
BY_TIME = {"Metrics": [CLOCK, DAYS], "EvaluationPeriods": 1}


@pytest.mark.parametrize(
    ("alarm", "refused"),
    [
        (PLAIN, False),
        (BY_TIME, False),
        ({**BY_TIME, "Period": 3600}, True),
        ({**BY_TIME, "Namespace": "n"}, True),
        ({**BY_TIME, "Metrics": [CLOCK, {**DAYS, "ReturnData": False}]}, True),
        ({**BY_TIME, "Metrics": [{**CLOCK, "ReturnData": True}, DAYS]}, True),
        ({**BY_TIME, "Metrics": [{**CLOCK, "Expression": "1"}, DAYS]}, True),
        ({**BY_TIME, "EvaluationPeriods": 168}, False),
        ({**BY_TIME, "EvaluationPeriods": 169}, True),
        ({**PLAIN, "EvaluationPeriods": 1440}, False),
        ({**PLAIN, "EvaluationPeriods": 1441}, True),
        ({**PLAIN, "AlarmDescription": "x" * 1025}, True),
        ({"EvaluationPeriods": 1}, True),
    ],
)
def test_the_simulation_refuses_alarms_as_aws_does(account: Account, alarm: dict[str, Any], refused: bool) -> None:
    account.reset()
    cloudwatch = account.client("cloudwatch")
    put = {"AlarmName": "one", "Threshold": 1.0, "ComparisonOperator": "LessThanThreshold", **alarm}
    with pytest.raises(ClientError, match="ValidationError") if refused else nullcontext():
        cloudwatch.put_metric_alarm(**put)
    assert len(cloudwatch.describe_alarms()["MetricAlarms"]) == (not refused)


def test_the_simulation_refuses_what_could_not_be_sent(lifecycle: Lifecycle) -> None:
    """So that a key without that policy is found here and not at night."""
    lifecycle.created.run.ok()
    kms, sns, rds = (lifecycle.account.client(each) for each in ("kms", "sns", "rds"))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    topic = sns.create_topic(Name="silent", Attributes={"KmsMasterKeyId": key})["TopicArn"]
    with pytest.raises(rds.exceptions.SNSNoAuthorizationFault):
        rds.create_event_subscription(SubscriptionName="silent", SnsTopicArn=topic)
    sns.delete_topic(TopicArn=topic)
    kms.schedule_key_deletion(KeyId=key)
