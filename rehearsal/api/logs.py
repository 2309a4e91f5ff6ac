# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of CloudWatch Logs: it refuses a key that it cannot encrypt with."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.logs import models

from .kms import lets
from .replace import replaces


@replaces(models.LogsBackend, "create_log_group")
def create_log_group(original: Any, logs: Any, log_group_name: str, tags: dict[str, str], **kwargs: Any) -> Any:
    key = kwargs.get("kmsKeyId")
    if key and not lets(logs.account_id, logs.region_name, key, f"logs.{logs.region_name}.amazonaws.com"):
        arn = f"arn:aws:logs:{logs.region_name}:{logs.account_id}:log-group:{log_group_name}"
        raise JsonRESTError(
            "InvalidParameterException",
            f"The specified KMS key does not exist or is not allowed to be used with Arn '{arn}'",
        )
    return original(logs, log_group_name, tags, **kwargs)
