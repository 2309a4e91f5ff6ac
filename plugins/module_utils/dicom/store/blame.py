# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose fault it is that an association breaks in the midst of a C-STORE: that of the file in flight, or the peer's.

One break tells neither. It is the file if the peer answers for others right after it; it is the peer if it answers
for none. Where several were in flight when it went silent, or several in a row broke, each may be the cause of the
others' trouble, and only being sent alone, to a peer that has just answered, tells which.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..failure import DicomError
from ..peer import Peer
from .files import Instance

# As many associations in a row may break before it is the peer's fault, if its retries are fewer.
FEWEST_ROUNDS = 3
# A file that makes the peer crash must not do so twenty times, whatever the retries.
MOST_RESENDS = 3

_ODD_LENGTH = (
    " Its data set has an odd number of bytes, which PS3.5 §7.1.1 forbids: it may be truncated, and Orthanc and other "
    "programs built on DCMTK never answer for such a file."
)


@dataclass
class Aside:
    """An instance that is set aside until all others are through. ``error`` is ``None`` until it breaks in this run."""

    runs_before: int = 0
    error: DicomError | None = None
    breaks: int = 0
    tried_alone: bool = False
    answered_since: bool = False  # the peer has answered for another one since
    doubtful: bool = False  # others broke together with it

    def broke(self, error: DicomError) -> None:
        """Take in that an association broke with it in flight."""
        self.error = error
        self.breaks += 1
        self.answered_since = False

    def is_to_be_sent(self, retries: int) -> bool:
        """Say whether it is to be sent, alone, when all others are through."""
        if self.error is None:
            return True
        if not (self.doubtful or retries):
            return False
        if self.error.failure == "dimse_timeout":  # which costs the whole time-out each time
            return not self.tried_alone
        return self.breaks <= max(1, min(retries, MOST_RESENDS))

    @property
    def is_at_fault(self) -> bool:
        """Say whether it is certain to be this file that the peer cannot take."""
        return self.answered_since and (self.tried_alone or not self.doubtful)

    def verdict(self, peer_failed: bool, odd_length: bool) -> str:
        """Say what happened to it, whose fault that is, and what to do."""
        if self.is_at_fault:
            alone = " It did so again when the file was sent alone." if self.tried_alone and self.breaks > 1 else ""
            before = f" It was set aside in {self.runs_before} run(s) before this one, too." if self.runs_before else ""
            return (
                f"set aside. {self.error}{alone} It answered for others, so the problem is this file: check it with "
                f"dcmdump.{_ODD_LENGTH if odd_length else ''} The next run tries it again.{before}"
            )
        if peer_failed and not self.answered_since:
            return f"{self.error} Nor did it answer for the next file: the problem is the peer rather than this file."
        return f"{self.error} It is unclear whether the problem is this file or the peer. The next run tries it again."


class Blame:
    """What is set aside, and the associations that broke since the peer last answered a C-STORE, in rounds.

    Those that were open at the same time break in one round: what stops a peer stops it for all of them. Instances go
    by their positions. Callers keep off each other.
    """

    def __init__(self, peer: Peer) -> None:
        self.aside: dict[int, Aside] = {}
        self.rounds = 0
        self.witness: Instance | None = (
            None  # the peer has stored it: if it does not answer, it is not the file's fault
        )
        self._peer = peer
        self._suspects: list[int] = []  # what was in flight
        self._end_of_round = -math.inf
        self._last_error: DicomError | None = None

    @property
    def falls_on_the_peer(self) -> bool:
        """Say whether so many rounds have broken in a row that only the witness can speak for the peer."""
        return self.rounds >= self.rounds_allowed

    @property
    def rounds_allowed(self) -> int:
        """Return after how many rounds in a row it is the peer's fault."""
        return max(FEWEST_ROUNDS, self._peer.retries + 1)

    def broke(self, position: int, error: DicomError, began: float, now: float) -> None:
        """Set an instance aside: sending it, which ``began`` then, broke an association just now (monotonic times)."""
        self.aside.setdefault(position, Aside()).broke(error)
        if began >= self._end_of_round:
            self.rounds += 1
            self._end_of_round = now
        self._suspects.append(position)
        self._last_error = error

    def answered(self) -> None:
        """Take in that the peer has answered a C-STORE, so that it works."""
        self.doubt_suspects()
        for position in self._suspects:
            if position in self.aside:
                self.aside[position].answered_since = True
        self._suspects, self.rounds, self._end_of_round = [], 0, -math.inf

    def unanswered(self, error: DicomError) -> None:
        """Take in that the peer has not even answered for the witness."""
        self.rounds += 1
        self._last_error = error

    def doubt_suspects(self) -> None:
        """Take in that several broke together, if they did: each may be the cause for the others."""
        for position in self._suspects if len(self._suspects) > 1 else ():
            if position in self.aside:
                self.aside[position].doubtful = True

    def stored(self, instance: Instance) -> None:
        """Take what the peer has stored for a witness, the smallest of all: it may have to be sent once more."""
        if self.witness is None or instance.data_set_bytes < self.witness.data_set_bytes:
            self.witness = instance

    def is_worth_sending(self, position: int) -> bool:
        """Say whether what is set aside is to be sent once more, alone."""
        return position in self.aside and self.aside[position].is_to_be_sent(self._peer.retries)

    def of_the_peer(self) -> DicomError:
        """Return that it is the peer, and what to do."""
        not_even = ", not even an instance that it had stored before" if self.witness else ""
        return DicomError(
            self._last_error.failure if self._last_error else "internal_error",
            f"{self._peer} answered none of the last {self.rounds} attempts to send it something{not_even}: the "
            f"problem is the peer, not a file. The last error: {self._last_error} Check its log, its database and its "
            "disk, then run this again.",
        )
