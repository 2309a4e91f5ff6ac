# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services of AWS the policy of a KMS key lets encrypt with it, and which other accounts decrypt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

# What a service needs that encrypts something of ours in nobody's name.
ACTION = "kms:GenerateDataKey"
# What another account needs to read a copy, and how a policy names an account.
READING = "kms:Decrypt"
_ACCOUNT = re.compile(r"(?:arn:[^:]*:iam::)?([0-9]{12})(?::root)?")


def services(policy: Mapping[str, Any]) -> list[str]:
    """Service principals that some statement allows it to. What a statement's condition says is not looked at."""
    return sorted(_principals(policy, ACTION, "Service"))


def accounts(policy: Mapping[str, Any]) -> list[str]:
    """Whole accounts that some statement lets decrypt, the key's own among them."""
    named = (_ACCOUNT.fullmatch(each) for each in _principals(policy, READING, "AWS"))
    return sorted({each[1] for each in named if each})


def _principals(policy: Mapping[str, Any], action: str, kind: str) -> set[str]:
    found: set[str] = set()
    for statement in _list(policy.get("Statement")):
        principal = statement.get("Principal")
        allows = any(fnmatchcase(action.lower(), each.lower()) for each in _list(statement.get("Action")))
        if allows and statement.get("Effect") == "Allow" and isinstance(principal, Mapping):
            found.update(_list(principal.get(kind)))
    return found


def _list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
