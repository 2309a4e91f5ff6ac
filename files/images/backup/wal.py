# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of WAL files, and which segments are missing between others. A segment has 16 MiB, as initdb makes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

SEGMENT_BYTES = 16 << 20
IN_A_LOG = 256  # segments that share the name's middle part
# What PostgreSQL archives: segments, the last one of an old timeline, labels of backups, and histories of timelines.
FILE = re.compile(r"[0-9A-F]{24}(\.partial|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history", re.ASCII)
SEGMENT = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})", re.ASCII)
ARCHIVED = re.compile(r"[0-9A-F]{24}-[0-9a-f]{40}(\.[a-z0-9]+)?", re.ASCII)  # a whole segment, as pgBackRest names it


@dataclass(frozen=True, order=True)
class Segment:
    number: int
    timeline: int

    @classmethod
    def named(cls, name: str) -> Segment:
        found = SEGMENT.match(name)
        if not found:
            raise ValueError(f"{name} is not the name of a WAL segment.")
        timeline, log, position = (int(part, 16) for part in found.groups())
        return cls(log * IN_A_LOG + position, timeline)

    @classmethod
    def at(cls, position: int, timeline: int = 1) -> Segment:
        """The one that has this position (LSN)."""
        return cls(position // SEGMENT_BYTES, timeline)

    @property
    def name(self) -> str:
        return f"{self.timeline:08X}{self.number // IN_A_LOG:08X}{self.number % IN_A_LOG:08X}"


def is_wal(name: str) -> bool:
    """Whether PostgreSQL could ask for a file of this name to be archived."""
    return FILE.fullmatch(name) is not None


def missing(archived: Iterable[str], since: str) -> list[str]:
    """Segments that are not there although later ones are: a restore would end before the first of them, in silence.

    :param archived: names of files in the repository
    :param since: the first segment that a restore of the newest backup needs
    """
    first = Segment.named(since)
    there = sorted(Segment.named(name) for name in archived if ARCHIVED.fullmatch(name))
    numbers = {segment.number for segment in there}
    last = max([first, *there])
    absent = sorted(set(range(first.number, last.number + 1)) - numbers)
    return [Segment(number, last.timeline).name for number in absent]
