# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of CloudWatch Logs: a key that it cannot encrypt with, and one for a group that is there."""

from __future__ import annotations

import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.logs import models
from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.responses import LogsResponse

from .kms import lets
from .replace import replaces


def refuse_key(logs: Any, name: str, key: str) -> None:
    if not lets(logs.account_id, logs.region_name, key, f"logs.{logs.region_name}.amazonaws.com"):
        arn = f"arn:aws:logs:{logs.region_name}:{logs.account_id}:log-group:{name}"
        raise JsonRESTError(
            "InvalidParameterException",
            f"The specified KMS key does not exist or is not allowed to be used with Arn '{arn}'",
        )


@replaces(models.LogsBackend, "create_log_group")
def create_log_group(original: Any, logs: Any, log_group_name: str, tags: dict[str, str], **kwargs: Any) -> Any:
    if kwargs.get("kmsKeyId"):
        refuse_key(logs, log_group_name, kwargs["kmsKeyId"])
    return original(logs, log_group_name, tags, **kwargs)


# moto does not have it.
def associate_kms_key(response: Any) -> str:
    logs, given = response.logs_backend, json.loads(response.body)
    if given["logGroupName"] not in logs.groups:
        raise ResourceNotFoundException()
    refuse_key(logs, given["logGroupName"], given["kmsKeyId"])
    logs.groups[given["logGroupName"]].kms_key_id = given["kmsKeyId"]
    return ""


LogsResponse.associate_kms_key = associate_kms_key  # type: ignore[attr-defined]
