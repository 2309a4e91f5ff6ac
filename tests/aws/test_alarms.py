# SPDX-License-Identifier: GPL-3.0-or-later
"""Alarms in a stack's life: who is told, whether it could be sent, and that none stays."""

from __future__ import annotations

from typing import Any

import pytest

from support.aws.account import Account
from support.aws.life import ADDRESSES, Lifecycle, Step
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
    assert {"failover", "failure", "low storage", "maintenance", "notification"} <= set(events["EventCategoriesList"])
    assert "backup" not in events["EventCategoriesList"]
    hosts = {tags(each["Tags"])["Name"]: each["InstanceId"] for each in step.raw["instances"]}
    watched = {
        alarm["Dimensions"][0]["Value"]: alarm
        for alarm in alarms(step).values()
        if alarm["MetricName"] == "StatusCheckFailed_System"
    }
    assert set(watched) == set(hosts.values())
    for alarm in watched.values():
        assert "arn:aws:automate:us-east-1:ec2:recover" in alarm["AlarmActions"]
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
    assert set(alarms(lifecycle.fixed)) == set(alarms(lifecycle.created))


def test_a_teardown_silences_them_first(lifecycle: Lifecycle) -> None:
    lifecycle.gone.run.ok()
    changes = lifecycle.gone.run.changes
    removed = changes.index("absent | Remove topic, alarms and the subscription to RDS's events")
    assert removed < changes.index("absent | Delete RDS PostgreSQL")
    assert not any(lifecycle.gone.raw[kind] for kind in ("alarms", "topics", "event_subscriptions"))


def test_without_addresses_there_are_none_and_the_plan_says_so(lifecycle: Lifecycle) -> None:
    assert len(lifecycle.revived.raw["topics"]) == 1
    lifecycle.changed.run.ok()
    assert not any(lifecycle.changed.raw[kind] for kind in ("alarms", "topics", "event_subscriptions"))
    assert "as orthweb_alarm_addresses is empty" in " ".join(lifecycle.changed.run.output.split())


def test_a_key_with_which_no_alarm_could_be_sent_is_refused(account: Account) -> None:
    key = {"name": "alias/orthweb", "arn": "arn:aws:kms:us-east-1:123456789012:key/1", "services": ["s3.amazonaws.com"]}
    check = [{"ansible.builtin.include_role": {"name": "cellcs.orthweb.aws_alarms", "tasks_from": "check.yml"}}]
    survey = {"resources": {"kms_keys": []}, "going": {"kms_keys": [key]}}
    refused = account.play_tasks(check, aws_survey_stack=survey, orthweb_alarm_addresses=ADDRESSES).failed()
    assert "does not let cloudwatch.amazonaws.com and events.rds.amazonaws.com use it" in refused.message
    assert refused.writes == []
    account.play_tasks(check, aws_survey_stack=survey, orthweb_alarm_addresses=[]).ok()


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
