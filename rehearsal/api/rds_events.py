# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of RDS's event subscriptions: what AWS refuses, and how one is changed, which moto cannot."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.rds import models
from moto.rds.exceptions import RDSClientError, SubscriptionNotFoundError
from moto.rds.responses import RDSResponse

from .replace import replaces
from .sns import may_publish

PUBLISHER = "events.rds.amazonaws.com"


def refuse_topic(rds: Any, topic: str) -> None:
    """AWS tries whether it can publish."""
    if not may_publish(rds.account_id, rds.region_name, topic, PUBLISHER):
        raise RDSClientError("SNSNoAuthorization", f"You do not have permission to publish to the SNS topic {topic}.")


@replaces(models.RDSBackend, "create_event_subscription")
def create_event_subscription(original: Any, rds: Any, kwargs: Any) -> Any:
    refuse_topic(rds, kwargs["sns_topic_arn"])
    for source in kwargs.get("source_ids") or []:
        if source not in rds.databases:
            raise RDSClientError("SourceNotFound", f"Could not find source: {source}")
    return original(rds, kwargs)


def modify_event_subscription(response: Any) -> ActionResult:
    given, rds = response.params, response.backend
    subscription = rds.event_subscriptions.get(given["SubscriptionName"])
    if not subscription:
        raise SubscriptionNotFoundError(given["SubscriptionName"])
    if "SnsTopicArn" in given:
        refuse_topic(rds, given["SnsTopicArn"])
        subscription.sns_topic_arn = given["SnsTopicArn"]
    subscription.event_categories = given.get("EventCategories", subscription.event_categories)
    subscription.enabled = given.get("Enabled", subscription.enabled)
    return ActionResult({"EventSubscription": subscription})


RDSResponse.modify_event_subscription = modify_event_subscription  # type: ignore[attr-defined]
