# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of SNS: mail that nobody has confirmed yet, and encrypted topics to which a service cannot publish."""

from __future__ import annotations

import copy
from typing import Any

from moto.sns import models, sns_backends

from .kms import lets
from .replace import replaces


def may_publish(account: str, region: str, topic_arn: str, service: str) -> bool:
    """Whether a service can encrypt what it sends to a topic."""
    key = sns_backends[account][region].get_topic(topic_arn).kms_master_key_id
    return not key or lets(account, region, key, service)


# On AWS, who is subscribed by mail gets none before having followed a link. moto takes that as done.
@replaces(models.SNSBackend, "list_subscriptions_by_topic")
def list_subscriptions_by_topic(original: Any, sns: Any, topic_arn: str, next_token: str | None = None) -> Any:
    found, token = original(sns, topic_arn, next_token)
    listed = [copy.copy(each) for each in found]
    for each in listed:
        if each.protocol == "email":
            each.arn = "PendingConfirmation"
    return listed, token
