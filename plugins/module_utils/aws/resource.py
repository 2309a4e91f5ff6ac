# SPDX-License-Identifier: GPL-3.0-or-later
"""How a resource of any service is described, and what is asked about one kind of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

STACK_TAG = "orthweb:stack"

# What is on its way out. Nobody has to remove it any more.
GOING = frozenset({"terminated", "shutting-down", "deleting", "deleted", "pending_deletion"})
# Of these, what no longer holds its name: another may be made beside it.
GONE = frozenset({"terminated", "shutting-down", "deleted"})


@dataclass(frozen=True)
class Question:
    """What is asked about one kind.

    :ivar client: the boto3 client of the kind's service
    :ivar names: what the stack calls its resources of this kind
    :ivar names_anywhere: those that have the region in them, with C({region}) in its place
    :ivar arns: gives all ARNs (of any kind) that AWS's tag index has for the stack; it lags some minutes behind
    """

    client: Any
    stack: str
    names: tuple[str, ...]
    arns: Callable[[], list[str]]
    names_anywhere: tuple[str, ...] = ()

    def may_be_ours(self, name: str) -> bool:
        """Whether it is worth a call to see the tags of what is called so."""
        return name in self.names or name == self.stack or name.startswith(f"{self.stack}-")

    def is_ours(self, tags: Mapping[str, str]) -> bool:
        return tags.get(STACK_TAG) == self.stack


def resource(id_: str, name: str, state: str | None, tags: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """One resource as the modules return it."""
    state = (state or "available").lower()
    return {"id": id_, "name": name, "state": state, "tags": dict(tags), **more}


def tags_of(entries: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """AWS's ``[{Key, Value}]`` (some services: ``TagKey``, ``TagValue``) as a dictionary."""
    found = {}
    for entry in entries or []:
        lowered = {key.lower().removeprefix("tag"): value for key, value in entry.items()}
        found[lowered["key"]] = lowered["value"]
    return dict(sorted(found.items()))


def lacking_tags(wanted: Mapping[str, str], there: Mapping[str, str]) -> dict[str, str]:
    """Those of ``wanted`` that something does not have so. Somebody else may add to its tags."""
    return {key: value for key, value in wanted.items() if there.get(key) != value}


def pages(client: Any, call: str, answer: str, **arguments: Any) -> list[dict[str, Any]]:
    """All items of a describe or list call, over all its pages."""
    if not client.can_paginate(call):
        return list(getattr(client, call)(**arguments).get(answer, []))
    return [item for page in client.get_paginator(call).paginate(**arguments) for item in page.get(answer) or []]
