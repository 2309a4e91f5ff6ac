# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of each instance, taken down as it comes in: in the journal, for whoever watches, and for the result."""

from __future__ import annotations

import time
from collections.abc import Callable

from .files import Instance
from .journal import JournalError
from .outcome import Outcome
from .refusal import Refusals

Record = Callable[[Instance, int], None]
RecordAside = Callable[[Instance], None]
Observer = Callable[[Outcome], None]


class Ledger:
    """Outcomes by the positions of their instances. What ``send`` says of its callables holds for these.

    Callers keep off each other, but in ``record`` and ``record_aside``, which write to the disk.
    """

    def __init__(self, record: Record | None, observe: Observer | None, record_aside: RecordAside | None) -> None:
        self.journal_problem: str | None = None
        self.seconds = 0.0  # until the last of them was settled
        self._start_time = time.monotonic()
        self._record = record
        self._record_aside = record_aside
        self._observe = observe
        self._outcomes: dict[int, Outcome] = {}
        self._refusals = Refusals()

    def __len__(self) -> int:
        return len(self._outcomes)

    def __contains__(self, position: int) -> bool:
        return position in self._outcomes

    def outcomes(self) -> tuple[Outcome, ...]:
        """Return what became of each, in the order of the instances, when all are settled."""
        return tuple(
            self._refusals.explain(position, self._outcomes[position]) for position in range(len(self._outcomes))
        )

    def carry_over(self, position: int, outcome: Outcome) -> None:
        """Take in what a former run has settled."""
        self._outcomes[position] = outcome

    def record(self, outcome: Outcome) -> None:
        """Put an outcome into the journal, if it is one that the peer has acknowledged."""
        if self._record and outcome.stored and outcome.status is not None:
            self._note(self._record, outcome.instance, outcome.status)

    def record_aside(self, instance: Instance) -> None:
        """Put into the journal that an instance was set aside, unless the journal has failed before."""
        if self._record_aside and not self.journal_problem:
            self._note(self._record_aside, instance)

    def settle(self, position: int, outcome: Outcome) -> None:
        """Take in an outcome of this run."""
        self._outcomes[position] = outcome
        self.seconds = time.monotonic() - self._start_time
        if outcome.status is not None:
            self._refusals.take_in(position, outcome)
        if self._observe:
            self._observe(outcome)

    def _note(self, record: Callable[..., None], *what: object) -> None:
        try:
            record(*what)
        except JournalError as error:
            self.journal_problem = str(error)
