# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells people about a stack: CloudWatch's alarms and SNS's topics."""

from __future__ import annotations

from typing import Any

from . import alarms as alarms_of_a_stack
from .resource import Question, pages, resource, tags_of


def alarms(question: Question) -> list[dict[str, Any]]:
    """Those whose names begin as those of the stack do."""
    of_us = {"AlarmNamePrefix": alarms_of_a_stack.prefix(question.stack), "AlarmTypes": ["MetricAlarm"]}
    return [
        resource(
            item["AlarmName"],
            item["AlarmName"],
            item.get("StateValue"),
            tags_of(question.client.list_tags_for_resource(ResourceARN=item["AlarmArn"]).get("Tags")),
            arn=item["AlarmArn"],
        )
        for item in pages(question.client, "describe_alarms", "MetricAlarms", **of_us)
    ]


def topics(question: Question) -> list[dict[str, Any]]:
    found = []
    for arn in (item["TopicArn"] for item in pages(question.client, "list_topics", "Topics")):
        name = arn.rpartition(":")[2]
        if question.may_be_ours(name):
            tags = tags_of(question.client.list_tags_for_resource(ResourceArn=arn).get("Tags"))
            found.append(resource(arn, name, None, tags, arn=arn))
    return found
