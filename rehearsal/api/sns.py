# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of SNS: mail that nobody has confirmed yet, and encrypted topics to which a service cannot publish."""

from __future__ import annotations

import copy
import json
from typing import Any

from moto.kms.models import kms_backends
from moto.sns import models, sns_backends

from .replace import replaces


def statements(policy: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(policy)["Statement"]
    return found


def may_publish(account: str, region: str, topic_arn: str, service: str) -> bool:
    """Whether a service can encrypt what it sends to a topic: the policy of the topic's key has to name it."""
    key_id = sns_backends[account][region].get_topic(topic_arn).kms_master_key_id
    if not key_id:
        return True
    keys = kms_backends[account][region]
    if key_id.rpartition("key/")[2] not in keys.keys:
        return False
    policy = keys.get_key_policy(key_id.rpartition("key/")[2])
    named = [each.get("Principal", {}) for each in statements(policy) if each["Effect"] == "Allow"]
    services = [each.get("Service", []) for each in named if isinstance(each, dict)]
    return any(service in ([each] if isinstance(each, str) else each) for each in services)


# On AWS, who is subscribed by mail gets none before having followed a link. moto takes that as done.
@replaces(models.SNSBackend, "list_subscriptions_by_topic")
def list_subscriptions_by_topic(original: Any, sns: Any, topic_arn: str, next_token: str | None = None) -> Any:
    found, token = original(sns, topic_arn, next_token)
    listed = [copy.copy(each) for each in found]
    for each in listed:
        if each.protocol == "email":
            each.arn = "PendingConfirmation"
    return listed, token
