# SPDX-License-Identifier: GPL-3.0-or-later
"""Values and diffs, short enough for a list that a person reads to its end."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

LONGEST = 100
MOST_LINES = 8


def short(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, bool):
        return str(value).lower()
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def property_lines(key: str, value: Any) -> list[str]:
    """A property of a resource in one line, and a list of rules in one line each."""
    if isinstance(value, list) and value and all(isinstance(each, Mapping) and "proto" in each for each in value):
        return [f"{key}: {_rule(each)}" for each in value]
    return [f"{key}: {short(value)}"]


def _rule(rule: Mapping[str, Any]) -> str:
    """``tcp 11112 198.51.100.0/24 (modalities)``, of a rule as in amazon.aws.ec2_security_group."""
    ports = rule.get("ports") or dict.fromkeys(port for end in ("from", "to") if (port := rule.get(f"{end}_port")))
    ranges = [range_ for key in ("cidr_ip", "cidr_ipv6") for range_ in _as_list(rule.get(key))]
    others = [each for key in ("group_id", "group_name", "ip_prefix") for each in _as_list(rule.get(key))]
    said = f"{rule['proto']} {'-'.join(map(str, _as_list(ports)))} {', '.join(map(str, ranges + others))}"
    return short(f"{said} ({rule['rule_desc']})" if rule.get("rule_desc") else said)


def _as_list(value: Any) -> list[Any]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def task_title(name: str) -> str:
    """A task's name as Ansible has it; of our own roles, without the collection: ``nginx: Write the configuration``."""
    role, of_a_role, task = name.removeprefix("cellcs.orthweb.").partition(" : ")
    return f"{role}: {task}" if of_a_role else name


def diff_lines(diffs: Any) -> list[str]:
    """What differs, before and after, in a few lines; ``diffs`` as modules return them."""
    lines = [line for diff in (diffs if isinstance(diffs, list) else [diffs]) for line in _of_one(diff)]
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[: MOST_LINES - 1], f"… {len(lines) - MOST_LINES + 1} more lines"]


def _of_one(diff: Any) -> Iterator[str]:
    if not isinstance(diff, Mapping):
        return
    if isinstance(diff.get("prepared"), str):
        yield from (short(line) for line in diff["prepared"].splitlines() if line.strip())
        return
    before, after = diff.get("before"), diff.get("after")
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _differing(before, after, "")
    elif before != after:
        old, new = _lines(before), _lines(after)
        changes = list(difflib.unified_diff(old, new, n=0, lineterm=""))[2:]
        yield from (short(line) for line in changes if not line.startswith("@@"))


def _differing(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> Iterator[str]:
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _differing(old, new, f"{path}{key}.")
        elif old != new:
            yield f"{path}{key}: {short(old)} → {short(new)}"


def _lines(value: Any) -> list[str]:
    if value is None:
        return []
    return value.splitlines() if isinstance(value, str) else json.dumps(value, indent=1, default=str).splitlines()
