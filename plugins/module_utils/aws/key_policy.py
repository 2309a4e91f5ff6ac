# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services of AWS the policy of a KMS key lets encrypt with it."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

# What a service needs that encrypts something of ours in nobody's name.
ACTION = "kms:GenerateDataKey"


def services(policy: Mapping[str, Any]) -> list[str]:
    """Service principals that some statement allows it to. What a statement's condition says is not looked at."""
    found: set[str] = set()
    for statement in _list(policy.get("Statement")):
        principal = statement.get("Principal")
        allows = any(fnmatchcase(ACTION.lower(), each.lower()) for each in _list(statement.get("Action")))
        if allows and statement.get("Effect") == "Allow" and isinstance(principal, Mapping):
            found.update(_list(principal.get("Service")))
    return sorted(found)


def _list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
