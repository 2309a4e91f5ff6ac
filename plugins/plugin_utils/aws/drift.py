# SPDX-License-Identifier: GPL-3.0-or-later
"""What an account does not have as it is wanted. Only that needs a module, which looks for it once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Somebody else may add to these.
OPEN_ENDED = frozenset({"tags", "parameters"})


def drift(wanted: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of ``wanted`` that are missing, there twice, or different.

    :param wanted: each with its ``name``, and what it should have in the words of ``found``
    :param found: resources of one kind, as the module aws_stack_info returns them
    """

    def is_there(one: Mapping[str, Any]) -> bool:
        same_name = [each for each in found if each["name"] == one["name"]]
        return len(same_name) == 1 and all(_equal(key, value, same_name[0].get(key)) for key, value in one.items())

    return [one for one in wanted if not is_there(one)]


def _equal(key: str, wanted: Any, found: Any) -> bool:
    if key in OPEN_ENDED:
        return all((found or {}).get(name) == str(value) for name, value in wanted.items())
    return _plain(wanted) == _plain(found)


def _plain(value: Any) -> Any:
    """Numbers and what a template made of them are one, and a list of words has no order."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        plain = [_plain(each) for each in value]
        return sorted(plain) if all(isinstance(each, str) for each in plain) else plain
    return value if value is None or isinstance(value, bool) else str(value)


def ids(
    names: Sequence[str], found: Sequence[Mapping[str, Any]], made: Mapping[str, str | None], no_id: str
) -> list[str]:
    """The id of each name: of what was just made, else of what was found.

    :param made: name to id; none in check mode
    :param no_id: what stands in for an id that there is none of yet
    """
    there = {each["name"]: each["id"] for each in found}
    return [made.get(name) or there.get(name) or no_id for name in names]
