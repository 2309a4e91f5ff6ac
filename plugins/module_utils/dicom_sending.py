# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending instances with C-STORE (PS3.4 Annex B), as they are: no transcoding, not a byte of the data set changed."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

with contextlib.suppress(ImportError):  # the module says what is missing
    from pydicom.uid import UID

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_association import Association, AssociationRequest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_failure import DicomError
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_files import Instance, open_unchanged
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_journal import Acknowledged, JournalError
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_pdu import Proposal
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_peer import Peer
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_sent import (
    Outcome,
    Sending,
    StoreFailure,
    outcome_of_journal,
    outcome_of_status,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_transport import connect

# Presentation context IDs are the odd numbers of one byte (PS3.8 §9.3.2.2).
CONTEXTS_AN_ASSOCIATION = 128

MOST_ASSOCIATIONS = 16

Observer = Callable[[Outcome], None]


def associations_problem(associations: int) -> str | None:
    """Say what is wrong with a number of associations."""
    if 1 <= associations <= MOST_ASSOCIATIONS:
        return None
    return f"associations: {associations} is not within 1 and {MOST_ASSOCIATIONS}"


def proposals_for(instances: Iterable[Instance]) -> list[Proposal]:
    """Return one presentation context for each pair of SOP class and transfer syntax, in order of first need.

    One context may name several transfer syntaxes, but the peer takes only one of them (PS3.8 §9.3.3.2), which would
    leave the files in the others behind.
    """
    return list(dict.fromkeys(_proposal_for(instance) for instance in instances))


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
    record: Callable[[Instance, int], None] | None = None,
    observe: Observer | None = None,
) -> Sending:
    """Send ``instances``, those left aside that are ``acknowledged``, over ``associations`` side by side.

    Each association takes the next instance when it has the answer for its last one. If one breaks, another takes its
    place as often in a row as ``peer.retries`` allows, and the instance whose answer was lost is sent again as often.

    ``record`` is called for each that the peer acknowledges, before the next one is sent; sending ends if it raises
    ``JournalError``. ``observe`` is called for each outcome but those of ``acknowledged``, by one thread at a time.
    Never raises for what the peer does: the outcomes say it.
    """
    sender = _Sender(peer, instances, record, observe)
    sender.run(associations, acknowledged or Acknowledged())
    return Sending(peer, sender.outcomes(), sender.seconds, sender.established, sender.journal_problem)


@dataclass
class _Group:
    """Instances (their positions) that fit into the presentation contexts of one association."""

    proposals: list[Proposal]
    waiting: deque[int] = field(default_factory=deque)


class _Sender:
    """What all associations share: instances that wait, what became of the others, and what went wrong."""

    def __init__(
        self,
        peer: Peer,
        instances: Sequence[Instance],
        record: Callable[[Instance, int], None] | None,
        observe: Observer | None,
    ) -> None:
        self.established = 0
        self.journal_problem: str | None = None
        self.seconds = 0.0  # until the last of them was settled
        self._start_time = time.monotonic()
        self._ended = threading.Event()  # nothing is left to be sent, or nothing must be
        self._peer = peer
        self._instances = instances
        self._record = record
        self._observe = observe
        self._outcomes: dict[int, Outcome] = {}
        self._groups: list[_Group] = []
        self._broken: Counter[int] = Counter()  # how often an association broke with this instance in flight
        self._given_up: list[DicomError] = []
        self._lock = threading.Lock()

    def run(self, associations: int, acknowledged: Acknowledged) -> None:
        """Send all. Afterwards each instance has its outcome."""
        waiting = []
        for position, instance in enumerate(self._instances):
            if outcome := _recorded(instance, acknowledged):
                self._outcomes[position] = outcome
            else:
                waiting.append(position)
        self._groups = _grouped(self._instances, waiting)
        if waiting:
            self._start(min(associations, len(waiting)))
        self._give_up_the_rest()

    def outcomes(self) -> tuple[Outcome, ...]:
        """Return what became of each, in the order of the instances."""
        return tuple(self._outcomes[position] for position in range(len(self._instances)))

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
        """Send over one association after the other, until nothing waits or ``retries`` are used up in a row.

        ``settled`` is set as soon as it is clear whether the first of them comes about.
        """
        try:
            self._keep_associating(settled)
        finally:
            settled.set()

    def _keep_associating(self, settled: threading.Event) -> None:
        retries = self._peer.retries
        while group := self._group_with_work():
            answers, error = self._send_over_one_association(group, settled)
            if error is None:
                continue
            if answers:
                retries = self._peer.retries
            if not retries:
                with self._lock:
                    self._given_up.append(error)
                return
            retries -= 1
            self._ended.wait(self._peer.retry_delay)

    def _send_over_one_association(self, group: _Group, settled: threading.Event) -> tuple[int, DicomError | None]:
        """Send until nothing waits in ``group``, or the association breaks. Return the number of answers, and why."""
        answers = 0
        position: int | None = None
        try:
            request = AssociationRequest.to(self._peer, group.proposals)  # coded before the peer waits for it
            with Association.request(connect(self._peer), request) as association:
                if not settled.is_set():
                    self.established += 1
                    settled.set()
                while (position := self._take(group)) is not None:
                    outcome = _store(association, self._instances[position])
                    self._settle(position, outcome)
                    answers += outcome.status is not None
        except _FileError as error:
            if position is not None:
                self._settle(position, Outcome(self._instances[position], None, str(error), "file_not_read"))
        except DicomError as error:
            if position is not None:
                self._put_back(group, position, error)
            return answers, error
        return answers, None

    def _group_with_work(self) -> _Group | None:
        with self._lock:
            return next((group for group in self._groups if group.waiting and not self.journal_problem), None)

    def _take(self, group: _Group) -> int | None:
        with self._lock:
            return group.waiting.popleft() if group.waiting and not self.journal_problem else None

    def _put_back(self, group: _Group, position: int, error: DicomError) -> None:
        """Have an instance sent again whose answer was lost: to store it twice is to store it once (PS3.4 §B.2)."""
        self._broken[position] += 1
        if self._broken[position] > self._peer.retries:
            self._settle(position, Outcome(self._instances[position], None, str(error), error.failure))
            return
        with self._lock:
            # Behind all others, so that one which the peer cannot bear does not hold them up.
            group.waiting.append(position)

    def _settle(self, position: int, outcome: Outcome) -> None:
        if self._record and outcome.stored and outcome.status is not None:
            try:
                self._record(outcome.instance, outcome.status)
            except JournalError as error:
                self.journal_problem = str(error)
                self._ended.set()
        with self._lock:
            self._outcomes[position] = outcome
            self.seconds = time.monotonic() - self._start_time
            if len(self._outcomes) == len(self._instances):
                self._ended.set()
            if self._observe:
                self._observe(outcome)

    def _give_up_the_rest(self) -> None:
        """Settle what no association came about for, or what must not be sent because it cannot be recorded."""
        left = [position for group in self._groups for position in group.waiting]
        if not left:
            return
        failure: StoreFailure = "journal_not_written"
        text = f"not sent. {self.journal_problem}"
        if not self.journal_problem:
            failure, text = self._given_up[0].failure, str(self._given_up[0])
        for position in left:
            self._settle(position, Outcome(self._instances[position], None, text, failure))


class _FileError(Exception):
    """A file could not be read to its end, so that half a data set is on its way: the association must end."""


def _store(association: Association, instance: Instance) -> Outcome:
    """Send one instance. Raises ``DicomError`` and ``_FileError`` if the association cannot go on."""
    context_id = association.context_for(instance.sop_class_uid, instance.transfer_syntax_uid)
    if context_id is None:
        return _refused(association, instance)
    try:
        file = open_unchanged(instance)
    except OSError as error:
        return Outcome(instance, None, _unreadable(error), "file_not_read")
    with file:
        try:
            status = association.store(context_id, instance.sop_class_uid, instance.sop_instance_uid, file)
        except OSError as error:
            raise _FileError(_unreadable(error)) from error
    return outcome_of_status(instance, status)


def _refused(association: Association, instance: Instance) -> Outcome:
    proposal = _proposal_for(instance)
    reason = next(refusal.reason for refusal in association.acceptance.refused if refusal.proposal == proposal)
    text = (
        f"presentation context refused: {reason} "
        f"(SOP class {_named(instance.sop_class_uid)}, transfer syntax {_named(instance.transfer_syntax_uid)})"
    )
    return Outcome(instance, None, text, "presentation_context_refused")


def _unreadable(error: OSError) -> str:
    return f"the file could not be read: {error.strerror or error}"


def _recorded(instance: Instance, acknowledged: Acknowledged) -> Outcome | None:
    status = acknowledged.status_of(instance)
    return None if status is None else outcome_of_journal(instance, status)


def _proposal_for(instance: Instance) -> Proposal:
    return Proposal(instance.sop_class_uid, (instance.transfer_syntax_uid,))


def _grouped(instances: Sequence[Instance], positions: Sequence[int]) -> list[_Group]:
    """Divide what is to be sent into groups, none of which needs above 128 presentation contexts."""
    proposals = iter(proposals_for(instances[position] for position in positions))
    groups = []
    while some := list(islice(proposals, CONTEXTS_AN_ASSOCIATION)):
        groups.append(_Group(some))
    group_of = {proposal: group for group in groups for proposal in group.proposals}
    for position in positions:
        group_of[_proposal_for(instances[position])].waiting.append(position)
    return groups


def _named(uid: str) -> str:
    """Return a UID behind its name, if the standard has one for it (PS3.6 Annex A)."""
    name = UID(uid).name
    return uid if name == uid else f"{name} {uid}"
