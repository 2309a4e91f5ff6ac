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
