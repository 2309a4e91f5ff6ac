# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of instances that were to be sent, one by one and in sum."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

from ..failure import FailureName
from ..peer import Peer
from ..words import first_few, status_accepts, status_in_words
from .files import Instance, shown

StoreFailure: TypeAlias = FailureName | Literal["journal_not_written"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one instance. ``status`` is ``None`` where the peer has not answered, or was not asked.

    ``already_stored``: it was acknowledged in a former run, with ``status``, and was not sent again.
    ``set_aside``: the peer cannot take this file, though it takes others; an association broke on it.
    ``not_tried``: its turn never came.
    """

    instance: Instance
    status: int | None
    status_text: str
    failure: StoreFailure | None = None
    already_stored: bool = False
    set_aside: bool = False
    not_tried: bool = False

    @property
    def stored(self) -> bool:
        """Say whether the peer has acknowledged the instance in this run, be it with a warning."""
        return not self.already_stored and self.status is not None and status_accepts(self.status)

    @property
    def fate(self) -> str:
        """Say in two words for a person what became of it."""
        if self.already_stored:
            return "already stored"
        if self.stored:
            return "stored"
        if self.set_aside:
            return "set aside"
        if self.not_tried:
            return "not sent"
        return "failed" if self.status is None else "refused"

    def to_result(self) -> dict[str, Any]:
        """Return it as a module's result."""
        return {
            "path": shown(self.instance.path),
            "sop_instance_uid": self.instance.sop_instance_uid,
            "study_instance_uid": self.instance.study_instance_uid,
            "status": None if self.status is None else f"{self.status:04X}",
            "status_text": self.status_text,
            "failure": self.failure,
            "stored": self.stored,
            "already_stored": self.already_stored,
            "set_aside": self.set_aside,
            "not_tried": self.not_tried,
        }


@dataclass(frozen=True)
class Sending:
    """What became of all of them in the order in which they were declared, and how long it took.

    ``associations``: how many of those that were to be side by side came about.
    """

    peer: Peer
    outcomes: tuple[Outcome, ...]
    seconds: float = 0.0
    associations: int = 0
    journal_problem: str | None = None

    @property
    def stored(self) -> tuple[Outcome, ...]:
        """Return the outcomes of the instances that were stored in this run."""
        return tuple(outcome for outcome in self.outcomes if outcome.stored)

    @property
    def already_stored(self) -> tuple[Outcome, ...]:
        """Return the outcomes of the instances that a former run had stored."""
        return tuple(outcome for outcome in self.outcomes if outcome.already_stored)

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Return the outcomes of the instances that should have been stored, and were not."""
        return tuple(outcome for outcome in self.outcomes if outcome.failure)

    @property
    def set_aside(self) -> tuple[Outcome, ...]:
        """Return the outcomes of the instances that the peer cannot take, though it takes others."""
        return tuple(outcome for outcome in self.outcomes if outcome.set_aside)

    @property
    def not_tried(self) -> tuple[Outcome, ...]:
        """Return the outcomes of the instances whose turn never came."""
        return tuple(outcome for outcome in self.outcomes if outcome.not_tried)

    @property
    def sentence(self) -> str:
        """Tell a person what came out."""
        count, failed, already = len(self.outcomes), self.failed, len(self.already_stored)
        if already and already == count:
            return f"{self.peer} has stored all {count} instances already, as the journal says."
        journal = f" It had stored {already} already, as the journal says." if already else ""
        if not failed:
            return f"{self.peer} stored {count - already} of {count} instances.{journal}"
        named = first_few(failed, lambda outcome: f"{shown(outcome.instance.path)}: {outcome.status_text}")
        kinds = ((len(self.set_aside), "set aside"), (len(self.not_tried), "not sent"))
        of_which = ", ".join(f"{number} of them {word}" for number, word in kinds if number)
        return (
            f"{self.peer} did not store {len(failed)} of {count} instances"
            f"{f', {of_which}' if of_which else ''}.{journal} {named}"
        )

    def summary(self) -> dict[str, Any]:
        """Return counts and rates. Bytes are those of the data sets that were stored in this run."""
        size = sum(outcome.instance.data_set_bytes for outcome in self.stored)
        kinds = Counter((outcome.failure, outcome.status, outcome.status_text) for outcome in self.failed)
        return {
            "count": len(self.outcomes),
            "stored": len(self.stored),
            "already_stored": len(self.already_stored),
            "failed": len(self.failed),
            "set_aside": len(self.set_aside),
            "not_tried": len(self.not_tried),
            "failures": [
                {
                    "failure": failure,
                    "status": None if status is None else f"{status:04X}",
                    "status_text": text,
                    "count": count,
                }
                for (failure, status, text), count in kinds.most_common()
            ],
            "bytes": size,
            "seconds": round(self.seconds, 3),
            "bytes_per_second": round(size / self.seconds) if self.seconds else 0,
            "associations": self.associations,
        }


@cache
def in_words(status: int) -> str:
    """Return a status in words, and its number."""
    return f"{status_in_words(status)} ({status:04X})"


def outcome_of_status(instance: Instance, status: int) -> Outcome:
    """Return what became of an instance that the peer has answered for."""
    return Outcome(instance, status, in_words(status), None if status_accepts(status) else "dimse_status")


def outcome_of_journal(instance: Instance, status: int) -> Outcome:
    """Return what became of an instance that the journal lists."""
    return Outcome(instance, status, _as_recorded(status), already_stored=True)


@cache
def _as_recorded(status: int) -> str:
    return f"not sent again: the journal has {in_words(status)}"
