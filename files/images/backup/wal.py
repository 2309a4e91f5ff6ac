# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of WAL files, and which segments are missing between others, on which timeline.

A segment has 16 MiB, as initdb makes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

SEGMENT_BYTES = 16 << 20
IN_A_LOG = 256  # segments that share the name's middle part
# What PostgreSQL archives: segments, the last one of an old timeline, labels of backups, and histories of timelines.
FILE = re.compile(r"[0-9A-F]{24}(\.partial|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history", re.ASCII)
HISTORY = re.compile(r"[0-9A-F]{8}\.history", re.ASCII)
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


def position(lsn: str) -> int:
    """Of a position as PostgreSQL writes it, such as 16/B374D848."""
    high, low = (int(part, 16) for part in lsn.split("/"))
    return high << 32 | low


def is_wal(name: str) -> bool:
    """Whether PostgreSQL could ask for a file of this name to be archived."""
    return FILE.fullmatch(name) is not None


@dataclass(frozen=True)
class History:
    """Which timeline goes on where: a server that has been restored to a moment writes a new one from there.

    :ivar timeline: the newest one
    :ivar left: its ancestors, each with the number of the segment in which it was left, the oldest first
    """

    timeline: int = 1
    left: tuple[tuple[int, int], ...] = ()

    @classmethod
    def parsed(cls, name: str, text: str) -> History:
        """What PostgreSQL writes down when a timeline begins.

        :param name: of the file, such as 00000002.history
        :param text: what is in it: a line with a timeline, the position at which it was left, and why
        """
        lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        left = tuple((int(timeline), Segment.at(position(lsn)).number) for timeline, lsn, *_why in lines)
        return cls(int(name[:8], 16), left)

    def has(self, segment: Segment) -> bool:
        """Whether it is on the way to the newest state. The same number may be there on a timeline that was left."""
        return segment.timeline == next((each for each, number in self.left if segment.number < number), self.timeline)


def segments_of(names: Iterable[str]) -> frozenset[Segment]:
    """:param names: of the repository's files"""
    return frozenset(Segment.named(name) for name in names if ARCHIVED.fullmatch(name))


@dataclass(frozen=True)
class Archive:
    """What a repository has of a server's WAL.

    :ivar segments: also those of timelines that were left
    """

    segments: frozenset[Segment] = frozenset()
    history: History = History()

    def leads_on(self, first_wal: str) -> bool:
        """Whether a backup that begins with this segment leads to the newest state."""
        return self.history.has(Segment.named(first_wal))

    def missing(self, since: str) -> list[str]:
        """Segments that are not there although later ones are: a restore would end before the first of them.

        :param since: the first segment that a restore of the newest backup needs
        """
        first = Segment.named(since)
        there = [segment for segment in self.segments if self.history.has(segment)]
        numbers = {segment.number for segment in there}
        last = max([first, *there])
        absent = sorted(set(range(first.number, last.number + 1)) - numbers)
        return [Segment(number, last.timeline).name for number in absent]
