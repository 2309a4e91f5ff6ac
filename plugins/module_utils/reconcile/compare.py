# SPDX-License-Identifier: GPL-3.0-or-later
"""What an index names against what a storage area holds. Nothing is asked here and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["missing", "orphaned", "damaged", "misplaced"]
STATES: tuple[State, ...] = ("missing", "orphaned", "damaged", "misplaced")
# The difference may be that an image is being stored or removed at this moment.
UNSETTLED: tuple[State, ...] = ("missing", "orphaned")
KEPT_SECONDS = 24 * 60 * 60  # for so long, what nobody names is left alone


@dataclass(frozen=True)
class Wanted:
    """What the index says about an attachment. ``place`` is where it belongs; ``md5`` is empty if Orthanc made none."""

    uuid: str
    md5: str
    bytes: int
    place: str
    sop_instance_uid: str


@dataclass(frozen=True)
class Held:
    """What a storage area has under a name. ``md5`` is empty where the bytes were not read.

    ``complaint``: why there are no bytes. ``since``: seconds since the epoch, None if the storage area does not know.
    ``foreign``: whether it cannot be Orthanc's, by its name or its place; such a thing is never removed.
    """

    uuid: str
    md5: str
    bytes: int
    place: str
    since: float | None = None
    complaint: str = ""
    foreign: bool = False


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be. ``uuid`` is the attachment's, or the name of what is held."""

    state: State
    uuid: str
    sop_instance_uid: str
    reason: str
    since: float | None = field(default=None, compare=False)
    foreign: bool = False


@dataclass(frozen=True)
class Comparison:
    """``unverified`` ones are there in full length, but without a hash to compare with."""

    equal: int
    unverified: int
    differences: list[Difference]

    def count(self) -> dict[str, int]:
        """Return how many there are of each state."""
        counted: dict[str, int] = {state: sum(each.state == state for each in self.differences) for state in STATES}
        return {"equal": self.equal, "unverified": self.unverified} | counted


def compared(wanted: Iterable[Wanted], held: Iterable[Held]) -> Comparison:
    """Compare all that is wanted with all that is held."""
    by_name: dict[str, list[Held]] = {}
    for each in held:
        by_name.setdefault(each.uuid, []).append(each)
    equal = unverified = 0
    differences: list[Difference] = []
    for one in wanted:
        found = sorted(by_name.pop(one.uuid, []), key=lambda copy: copy.place != one.place)
        problem = _problem(one, found)
        if problem:
            differences.append(problem)
        elif one.md5 and found[0].md5:
            equal += 1
        else:
            unverified += 1
        differences += [
            Difference("misplaced", one.uuid, one.sop_instance_uid, f"a further copy is in {copy.place}")
            for copy in found[1:]
        ]
    differences += [_orphan(each) for copies in by_name.values() for each in copies]
    return Comparison(equal, unverified, differences)


def aged(differences: Iterable[Difference], seen: Mapping[str, float], now: float) -> dict[str, float]:
    """Return since when each orphan is known to be there, by its name.

    :param seen: what an earlier call returned; a storage area without times is only known to hold what it held then
    """
    orphans = (each for each in differences if each.state == "orphaned" and not each.foreign)
    return {each.uuid: each.since if each.since is not None else min(seen.get(each.uuid, now), now) for each in orphans}


def removable(since: Mapping[str, float], now: float) -> list[str]:
    """Return the names of the orphans that are old enough to be no image which is being stored."""
    return sorted(name for name, then in since.items() if now - then > KEPT_SECONDS)


def _orphan(one: Held) -> Difference:
    reason = one.complaint or "the index does not name it"
    if one.foreign:
        reason += f", and Orthanc did not put it there ({one.place or 'at the top'})"
    return Difference("orphaned", one.uuid, "", reason, one.since, one.foreign)


def _problem(one: Wanted, found: list[Held]) -> Difference | None:
    def is_a(state: State, reason: str) -> Difference:
        return Difference(state, one.uuid, one.sop_instance_uid, reason)

    if not one.uuid:
        return is_a("missing", "the index has this instance without an attachment")
    if not found:
        return is_a("missing", "the storage area does not have it")
    best = found[0]
    if best.complaint:
        return is_a("missing", best.complaint)
    if best.bytes != one.bytes:
        return is_a("damaged", f"it has {best.bytes} bytes, and the index says {one.bytes}")
    if one.md5 and best.md5 and best.md5 != one.md5:
        return is_a("damaged", f"its MD5 is {best.md5}, and the index says {one.md5}")
    if best.place != one.place:
        return is_a("misplaced", f"it is in {best.place}, and Orthanc looks for it in {one.place}")
    return None
