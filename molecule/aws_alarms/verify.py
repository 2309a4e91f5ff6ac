# SPDX-License-Identifier: GPL-3.0-or-later
"""The alarms as CloudWatch describes them, whom they tell, and with which key."""

from __future__ import annotations

from api import STACK, client, looking, tags

sns, cloudwatch = client("sns"), client("cloudwatch")
key = client("kms").describe_key(KeyId=f"alias/{STACK}")["KeyMetadata"]["Arn"]
(topic,) = (each["TopicArn"] for each in sns.list_topics()["Topics"])
alarms = {each["AlarmName"]: each for each in cloudwatch.describe_alarms()["MetricAlarms"]}

with looking() as expect:
    expect("topic", topic.rpartition(":")[2], f"{STACK}-alarms")
    expect("its key", sns.get_topic_attributes(TopicArn=topic)["Attributes"]["KmsMasterKeyId"], key)
    mailed = [each["Endpoint"] for each in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]]
    expect("who is told", mailed, ["it@clinic.example"])
    watched = [f"{STACK}/database-{what}" for what in ("connections", "cpu-credits", "memory", "storage")]
    expect("alarms", sorted(alarms), watched)
    for name, alarm in alarms.items():
        told = alarm["ActionsEnabled"], alarm["AlarmActions"], alarm["OKActions"]
        expect(f"whom {name} tells", told, (True, [topic], [topic]))
        found = tags(cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"])
        expect(f"tags of {name}", found, {"orthweb:stack": STACK})
    storage = alarms[f"{STACK}/database-storage"]
    expect("when storage is short", (storage["EvaluationPeriods"], storage["Threshold"]), (3, 2.0 * 2**30))
