# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides as IAM does whether identity policies allow a request: no `Deny` fits, and an `Allow` does.

It knows what our policies use. Anything else is an error, not a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

Policy = Mapping[str, Any]
Context = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Request:
    """One action on one resource, and what the conditions can ask for.

    :ivar context: values by condition key; a key that AWS does not give is not in it
    """

    action: str
    resource: str
    context: Context = field(default_factory=dict)

    def __str__(self) -> str:
        known = ", ".join(f"{key}={'|'.join(values)}" for key, values in sorted(self.context.items()))
        return f"{self.action} on {self.resource} ({known})"


def allowed(policies: Sequence[Policy], request: Request) -> bool:
    effects = {
        statement["Effect"] for policy in policies for statement in policy["Statement"] if fits(statement, request)
    }
    return "Allow" in effects and "Deny" not in effects


def fits(statement: Mapping[str, Any], request: Request) -> bool:
    unknown = set(statement) - {"Sid", "Effect", "Action", "Resource", "Condition"}
    if unknown:
        raise NotImplementedError(f"elements {sorted(unknown)} of a statement")
    context = {key.lower(): list(values) for key, values in request.context.items()}
    return (
        any(_like(request.action.lower(), each.lower()) for each in _list(statement["Action"]))
        and any(_like(request.resource, _substituted(each, context)) for each in _list(statement["Resource"]))
        and all(
            _condition(operator, context.get(key.lower()), [_substituted(each, context) for each in _list(wanted)])
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _condition(operator: str, given: list[str] | None, wanted: list[str]) -> bool:
    if operator == "Null":
        return (given is None) == (wanted == ["true"])
    for_any = operator.startswith("ForAnyValue:")
    name = operator.removeprefix("ForAnyValue:")
    if_exists = name.endswith("IfExists")
    compare = OPERATORS.get(name.removesuffix("IfExists"))
    if compare is None:
        raise NotImplementedError(f"operator {operator}")
    if given is None:
        return if_exists
    if not for_any and len(given) != 1:
        raise NotImplementedError(f"{operator} of several values")
    return any(compare(value, each) for value in given for each in wanted)


def _like(value: str, pattern: str) -> bool:
    return _compiled(pattern).fullmatch(value) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = ({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in pattern)
    return re.compile("".join(parts), re.DOTALL)


def _arn_like(value: str, pattern: str) -> bool:
    """Part by part: a star does not reach over a colon, other than in the last part."""
    one, other = value.split(":", 5), pattern.split(":", 5)
    return len(one) == len(other) and all(map(_like, one, other))


OPERATORS = {
    "StringEquals": str.__eq__,
    "StringLike": _like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
}


def _substituted(text: str, context: Mapping[str, list[str]]) -> str:
    """With the values of policy variables; one without a value fits nothing."""

    def value(match: re.Match[str]) -> str:
        return (context.get(match[1].lower()) or ["\0"])[0]

    return re.sub(r"\$\{([^}]+)\}", value, text)


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
