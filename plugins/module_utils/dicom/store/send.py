# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending instances with C-STORE (PS3.4 Annex B), as they are: no transcoding, not a byte of the data set changed."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ..failure import DicomError
from ..net.association import Association, AssociationRequest
from ..net.transport import connect
from ..peer import Peer
from .blame import Aside, Blame
from .c_store import FileError, failure_to_answer, store_one
from .files import Instance
from .groups import Group, grouped, proposal_for
from .journal import Acknowledged
from .ledger import Ledger, Observer, Record, RecordAside
from .outcome import Outcome, Sending, StoreFailure, outcome_of_journal

MOST_ASSOCIATIONS = 16

# How often a peer that broke off in the midst is asked for another association, if its retries are fewer: one that a
# file has made crash is back in a few seconds.
COMEBACK_RETRIES = 3


def associations_problem(associations: int) -> str | None:
    """Say what is wrong with a number of associations."""
    if 1 <= associations <= MOST_ASSOCIATIONS:
        return None
    return f"associations: {associations} is not between 1 and {MOST_ASSOCIATIONS}"


def announce(peer: Peer, instances: Iterable[Instance], acknowledged: Acknowledged) -> Sending:
    """Return what ``send`` would set out with, and send nothing."""
    return Sending(
        peer,
        tuple(_recorded(instance, acknowledged) or Outcome(instance, None, "would be sent") for instance in instances),
    )


def send(
    peer: Peer,
    instances: Sequence[Instance],
    associations: int = 1,
    acknowledged: Acknowledged | None = None,
    record: Record | None = None,
    observe: Observer | None = None,
    record_aside: RecordAside | None = None,
) -> Sending:
    """Send ``instances``, without those that are ``acknowledged``, over ``associations`` side by side.

    Each association takes the next instance when it has the answer for its last one. An instance that one breaks on
    is set aside, and the rest goes on over a new one. When all others are through, it is sent again, alone, if it may
    not have been at fault (see ``blame``), or the peer has ``retries``. Sending ends when it is the peer.

    ``record`` is called for each that the peer acknowledges, before the next one is sent, and ``record_aside`` at the
    end for each that it cannot take; sending ends if they raise ``JournalError``. ``observe`` is called for each
    outcome but those of ``acknowledged``, by one thread at a time. Never raises for what the peer does: the outcomes
    say it.
    """
    ledger = Ledger(record, observe, record_aside)
    sender = _Sender(peer, instances, ledger)
    sender.run(associations, acknowledged or Acknowledged())
    return Sending(peer, ledger.outcomes(), ledger.seconds, sender.established, ledger.journal_problem)


class _Sender:
    """What all associations share: instances that wait, what became of the others, and what went wrong."""

    def __init__(self, peer: Peer, instances: Sequence[Instance], ledger: Ledger) -> None:
        self.established = 0
        self._ended = threading.Event()  # nothing is left to be sent, or nothing must be
        self._peer = peer
        self._instances = instances
        self._ledger = ledger
        self._groups: list[Group] = []
        self._blame = Blame(peer)
        self._given_up: list[DicomError] = []  # by those that no association came about for
        self._stopped: DicomError | None = None  # the peer is at fault
        self._lock = threading.Lock()
        self._witness_lock = threading.Lock()

    def run(self, associations: int, acknowledged: Acknowledged) -> None:
        """Send all. Afterwards each instance has its outcome."""
        waiting = []
        for position, instance in enumerate(self._instances):
            if outcome := _recorded(instance, acknowledged):
                self._ledger.carry_over(position, outcome)
                self._blame.stored(instance)
            elif runs := acknowledged.times_set_aside(instance):
                self._blame.aside[position] = Aside(runs_before=runs)
            else:
                waiting.append(position)
        self._groups = grouped(self._instances, waiting)
        if waiting:
            self._start(min(associations, len(waiting)))
        self._try_those_aside()
        self._settle_the_rest()

    def _start(self, associations: int) -> None:
        """Have one association opened behind the other, as long as the peer takes them, and wait for the end of all.

        A peer that is asked for too many at the same moment may refuse every one.
        """
        with ThreadPoolExecutor(associations) as pool:
            running = []
            for number in range(associations):
                settled = threading.Event()
                running.append(pool.submit(self._keep_sending, settled))
                settled.wait()
                if self.established <= number:
                    break
            for worker in running:
                worker.result()

    def _keep_sending(self, settled: threading.Event) -> None:
        """Send all that waits. ``settled`` is set as soon as it is clear whether the first association comes about."""
        try:
            self._keep_associating(self._groups, settled, self._ended.wait)
        finally:
            settled.set()

    def _keep_associating(
        self, groups: Sequence[Group], settled: threading.Event, pause: Callable[[float], object]
    ) -> None:
        """Send over one association after the other, until nothing waits, or none comes about, or it is the peer."""
        refusals, broken = 0, False
        while group := self._group_with_work(groups):
            error, in_flight = self._send_over_one_association(group, settled)
            if error is None:
                refusals, broken = 0, False
            elif in_flight:
                refusals, broken = 0, True
                if self._is_the_peer():
                    return
                if self._blame.rounds > 1:
                    pause(self._peer.retry_delay)
            else:
                refusals += 1
                if refusals > max(self._peer.retries, COMEBACK_RETRIES if broken else 0):
                    with self._lock:
                        self._given_up.append(error)
                    return
                pause(self._peer.retry_delay)

    def _send_over_one_association(self, group: Group, settled: threading.Event) -> tuple[DicomError | None, bool]:
        """Send until nothing waits in ``group``, or the association breaks: return why, and whether in a C-STORE."""
        position: int | None = None
        began = time.monotonic()
        try:
            request = AssociationRequest.to(self._peer, group.proposals)  # coded before the peer waits for it
            with Association.request(connect(self._peer), request) as association:
                if not settled.is_set():
                    self.established += 1
                    settled.set()
                while (position := self._take(group)) is not None:
                    began = time.monotonic()
                    self._settle(position, store_one(association, self._instances[position]))
        except FileError as error:
            if position is not None:
                self._settle(position, Outcome(self._instances[position], None, str(error), "file_not_read"))
        except DicomError as error:
            if position is not None:
                self._set_aside(position, error, began)
            return error, position is not None
        return None, False

    def _group_with_work(self, groups: Sequence[Group]) -> Group | None:
        with self._lock:
            return None if self._must_end() else next((group for group in groups if group.waiting), None)

    def _take(self, group: Group) -> int | None:
        with self._lock:
            return group.waiting.popleft() if group.waiting and not self._must_end() else None

    def _must_end(self) -> bool:
        return bool(self._ledger.journal_problem or self._stopped)

    def _set_aside(self, position: int, error: DicomError, began: float) -> None:
        """Keep an instance that an association broke on for later, and those of its series behind all others.

        What is wrong with one image is often wrong with all that the same machine made in the same examination.
        """
        series = self._instances[position].series_instance_uid
        with self._lock:
            self._blame.broke(position, error, began, time.monotonic())
            for group in self._groups:
                group.defer({each for each in group.waiting if self._instances[each].series_instance_uid == series})
            self._see_whether_that_is_all()

    def _is_the_peer(self) -> bool:
        """Say whether nothing more is to be sent, because the peer answers for nothing any more."""
        with self._witness_lock:
            if self._stopped or not self._blame.falls_on_the_peer:
                return self._stopped is not None
            return not self._answers_for_the_witness(1)

    def _answers_for_the_witness(self, attempts: int) -> bool:
        """Send once more what the peer has stored before, if anything, to see whether it still answers. Else stop."""
        witness = self._blame.witness
        for attempt in range(attempts):
            if witness is None:
                break
            if attempt:
                time.sleep(self._peer.retry_delay)
            error = failure_to_answer(self._peer, witness)
            with self._lock:
                if error is None:
                    self._blame.answered()
                    return True
                self._blame.unanswered(error)
        self._stopped = self._blame.of_the_peer()
        self._ended.set()
        return False

    def _try_those_aside(self) -> None:
        """Send those set aside that are worth it, each alone, to a peer that has just answered for something else."""
        if any(group.waiting for group in self._groups) or not self._is_back():
            return
        self._blame.doubt_suspects()
        queue = deque(position for position in self._blame.aside if self._blame.is_worth_sending(position))
        while not self._must_end() and self._is_back() and queue:
            position = queue.popleft()
            group = Group([proposal_for(self._instances[position])], deque([position]))
            settled = threading.Event()
            if self.established:
                settled.set()
            self._keep_associating([group], settled, time.sleep)
            if group.waiting:
                return
            if position in self._blame.aside:
                self._blame.aside[position].tried_alone = True
                if self._blame.is_worth_sending(position):
                    queue.append(position)

    def _is_back(self) -> bool:
        """Say whether the peer answers again, if it did not the last time. It does if nothing can tell."""
        if not (self._blame.rounds and self._blame.witness):
            return True
        return self._answers_for_the_witness(self._blame.rounds_allowed)

    def _settle(self, position: int, outcome: Outcome) -> None:
        self._ledger.record(outcome)
        with self._lock:
            self._ledger.settle(position, outcome)
            self._blame.aside.pop(position, None)
            if outcome.status is not None:
                self._blame.answered()
            if outcome.stored:
                self._blame.stored(outcome.instance)
            self._see_whether_that_is_all()

    def _see_whether_that_is_all(self) -> None:
        """Wake those who wait for something to send, if nothing is left, or nothing must be sent any more."""
        if self._ledger.journal_problem or len(self._ledger) + len(self._blame.aside) == len(self._instances):
            self._ended.set()

    def _settle_the_rest(self) -> None:
        """Settle what is set aside, and what was not sent: no association came about, or nothing more might be."""
        for position, aside in list(self._blame.aside.items()):
            if aside.error is None:
                continue
            instance, at_fault = self._instances[position], aside.is_at_fault
            text = aside.verdict(self._stopped is not None, instance.data_set_bytes % 2 == 1)
            self._settle(position, Outcome(instance, None, text, aside.error.failure, set_aside=at_fault))
            if at_fault:
                self._ledger.record_aside(instance)
        failure, text = self._why_not_tried()
        for position in range(len(self._instances)):
            if position not in self._ledger:
                self._settle(position, Outcome(self._instances[position], None, text, failure, not_tried=True))

    def _why_not_tried(self) -> tuple[StoreFailure | None, str]:
        if problem := self._ledger.journal_problem:
            return "journal_not_written", f"not sent. {problem}"
        error = self._stopped or (self._given_up[-1] if self._given_up else None)
        return (error.failure, f"not sent. {error}") if error else (None, "")


def _recorded(instance: Instance, acknowledged: Acknowledged) -> Outcome | None:
    status = acknowledged.status_of(instance)
    return None if status is None else outcome_of_journal(instance, status)
