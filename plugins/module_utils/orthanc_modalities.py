# SPDX-License-Identifier: GPL-3.0-or-later
"""The modalities that an Orthanc knows, compared with those that it should know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Modalities = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Plan:
    """Names, in the order in which they are sent."""

    add: tuple[str, ...]
    change: tuple[str, ...]
    remove: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.add or self.change or self.remove)


def plan(current: Modalities, wanted: Modalities) -> Plan:
    """What makes one the other. Options that are not wanted in particular, such as ``Timeout``, are as they are."""
    return Plan(
        add=tuple(sorted(wanted.keys() - current.keys())),
        change=tuple(name for name in sorted(wanted.keys() & current.keys()) if _differs(current[name], wanted[name])),
        remove=tuple(sorted(current.keys() - wanted.keys())),
    )


def requests(made: Plan, wanted: Modalities) -> Iterator[tuple[str, str, Mapping[str, Any] | None]]:
    """Method, path and body of each request.

    First who has to go: Orthanc finds a modality by its AE title, which one that comes may take over.
    """
    for name in made.remove:
        yield "DELETE", f"/modalities/{name}", None
    for name in (*made.change, *made.add):
        yield "PUT", f"/modalities/{name}", wanted[name]


def differences(made: Plan, current: Modalities, wanted: Modalities) -> dict[str, dict[str, Any]]:
    """For ``--diff``: what is different, before and after."""
    before: dict[str, Any] = {name: dict(current[name]) for name in made.remove}
    after: dict[str, Any] = {name: dict(wanted[name]) for name in made.add}
    for name in made.change:
        keys = [key for key in wanted[name] if current[name].get(key) != wanted[name][key]]
        before[name] = {key: current[name].get(key) for key in keys}
        after[name] = {key: wanted[name][key] for key in keys}
    return {"before": before, "after": after}


def _differs(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return any(current.get(key) != value for key, value in wanted.items())
