# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of KMS."""

from __future__ import annotations

import json
from typing import Any

from moto.kms import models

from .replace import replaces

# AWS takes the ARN of a key wherever it takes its id; moto looks these up by id only.
for action in ("schedule_key_deletion", "cancel_key_deletion", "enable_key", "disable_key"):

    @replaces(models.KmsBackend, action)
    def by_id_or_arn(original: Any, backend: Any, key_id: str, *args: Any, **kwargs: Any) -> Any:
        return original(backend, key_id.split(":key/")[-1], *args, **kwargs)


def lets(account: str, region: str, key: str, service: str) -> bool:
    """Whether the policy of a key names a service of AWS: such a one has no other permission to encrypt with it."""
    keys, key_id = models.kms_backends[account][region], key.rpartition("key/")[2]
    if key_id not in keys.keys:
        return False
    policy = json.loads(keys.get_key_policy(key_id))
    named = [each.get("Principal") for each in policy["Statement"] if each["Effect"] == "Allow"]
    services = [each.get("Service", []) for each in named if isinstance(each, dict)]
    return any(service in ([each] if isinstance(each, str) else each) for each in services)
