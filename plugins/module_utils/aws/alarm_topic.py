# SPDX-License-Identifier: GPL-3.0-or-later
"""The topic of a stack's alarms, who is told by mail, and RDS's own events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .resource import pages

MAIL = "email"
# What SNS says instead of an ARN.
PENDING = ("PendingConfirmation", "Deleted")


def name(stack: str) -> str:
    """Of the topic, and of the subscription to RDS's events."""
    return f"{stack}-alarms"


def find_topic(client: Any, stack: str) -> str:
    """The ARN; empty if there is none."""
    topics = pages(client, "list_topics", "Topics")
    return next((each["TopicArn"] for each in topics if each["TopicArn"].rpartition(":")[2] == name(stack)), "")


def subscribers(client: Any, topic: str) -> dict[str, str]:
    """Addresses of mail, each with the ARN of its subscription, or one of PENDING."""
    found = pages(client, "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic) if topic else []
    return {each["Endpoint"]: each["SubscriptionArn"] for each in found if each["Protocol"] == MAIL}


def find_events(client: Any, stack: str) -> dict[str, Any] | None:
    """The subscription to RDS's events, as AWS describes it."""
    found = pages(client, "describe_event_subscriptions", "EventSubscriptionsList")
    return next((each for each in found if each["CustSubscriptionId"] == name(stack)), None)


def same_events(there: Mapping[str, Any], topic: str, categories: Sequence[str]) -> bool:
    return (
        there["SnsTopicArn"] == topic
        and bool(there.get("Enabled"))
        and sorted(there.get("EventCategoriesList") or []) == sorted(categories)
    )


def said(addresses: Sequence[str], there: Mapping[str, str]) -> list[str]:
    """Sentences about those who do not get any mail yet, and those who still do.

    To end a subscription, IAM knows no topic: whoever may do that, may do it to all topics of the account.

    :param there: as :func:`subscribers` gives it
    """
    pending = [each for each in addresses if there.get(each) in (None, *PENDING)]
    ended = {each: arn for each, arn in there.items() if each not in addresses and arn not in PENDING}
    return [
        f"{address} gets no alarms yet: AWS has sent a mail with a link to confirm the address. The link is valid for "
        "two days; then, the next deployment sends another."
        for address in pending
    ] + [
        f"{address} still gets alarms, and is not among the addresses any more. The link at the end of each mail ends "
        f"that, or: aws sns unsubscribe --subscription-arn {arn}"
        for address, arn in sorted(ended.items())
    ]
