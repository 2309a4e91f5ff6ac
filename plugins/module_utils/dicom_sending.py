# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending instances with C-STORE (PS3.4 Annex B), as they are: no transcoding, not a byte of the data set changed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

with contextlib.suppress(ImportError):  # the module says what is missing
    from pydicom.uid import UID

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_association import Association
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_failure import DicomError, FailureName
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_files import Instance
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_pdu import Proposal
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_peer import Peer
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_transport import connect
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_words import status_accepts, status_in_words

# Presentation context IDs are the odd numbers of one byte (PS3.8 §9.3.2.2).
CONTEXTS_AN_ASSOCIATION = 128

NAMED_FAILURES = 3


@dataclass(frozen=True)
class Outcome:
    """What became of one instance. ``status`` is ``None`` where the peer has not answered, or was not asked."""

    instance: Instance
    status: int | None
    status_text: str
    failure: FailureName | None = None

    @property
    def stored(self) -> bool:
        """Say whether the peer has acknowledged the instance, be it with a warning."""
        return self.status is not None and status_accepts(self.status)

    def to_result(self) -> dict[str, Any]:
        """Return it as a module's result."""
        return {
            "path": str(self.instance.path),
            "sop_instance_uid": self.instance.sop_instance_uid,
            "study_instance_uid": self.instance.study_instance_uid,
            "status": None if self.status is None else f"{self.status:04X}",
            "status_text": self.status_text,
            "stored": self.stored,
        }


@dataclass(frozen=True)
class Sending:
    """What became of all of them, and how long it took."""

    peer: Peer
    outcomes: tuple[Outcome, ...]
    seconds: float

    @property
    def stored(self) -> tuple[Outcome, ...]:
        """Return the outcomes of the instances that were stored."""
        return tuple(outcome for outcome in self.outcomes if outcome.stored)

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Return the outcomes of the instances that should have been stored, and were not."""
        return tuple(outcome for outcome in self.outcomes if outcome.failure)

    @property
    def sentence(self) -> str:
        """Tell a person what came out."""
        count = len(self.outcomes)
        if not self.failed:
            return f"{self.peer} stored {count} of {count} instances."
        named = "; ".join(f"{outcome.instance.path}: {outcome.status_text}" for outcome in self.failed[:NAMED_FAILURES])
        more = len(self.failed) - NAMED_FAILURES
        return (
            f"{self.peer} did not store {len(self.failed)} of {count} instances. {named}"
            f"{f'; and {more} more' if more > 0 else ''}"
        )

    def summary(self) -> dict[str, Any]:
        """Return counts and rates. Bytes are those of the data sets that were stored."""
        size = sum(outcome.instance.data_set_bytes for outcome in self.stored)
        return {
            "count": len(self.outcomes),
            "stored": len(self.stored),
            "failed": len(self.failed),
            "bytes": size,
            "seconds": round(self.seconds, 3),
            "bytes_per_second": round(size / self.seconds) if self.seconds else 0,
        }


def proposals_for(instances: Iterable[Instance]) -> list[Proposal]:
    """Return one presentation context for each pair of SOP class and transfer syntax, in order of first need.

    One context may name several transfer syntaxes, but the peer takes only one of them (PS3.8 §9.3.3.2), which would
    leave the files in the others behind.
    """
    pairs = dict.fromkeys((instance.sop_class_uid, instance.transfer_syntax_uid) for instance in instances)
    return [Proposal(sop_class, (transfer_syntax,)) for sop_class, transfer_syntax in pairs]


def announce(peer: Peer, instances: Sequence[Instance]) -> Sending:
    """Return what ``send`` would set out with, and send nothing."""
    return Sending(peer, tuple(Outcome(instance, None, "would be sent") for instance in instances), 0.0)


def send(peer: Peer, instances: Sequence[Instance]) -> Sending:
    """Send ``instances`` over one association, or more if they need above 128 presentation contexts.

    Never raises for what the peer does: the outcomes say it.
    """
    start = time.monotonic()
    outcomes: list[Outcome] = []
    proposals = iter(proposals_for(instances))
    while group := list(islice(proposals, CONTEXTS_AN_ASSOCIATION)):
        pairs = {(proposal.sop_class_uid, proposal.transfer_syntax_uids[0]) for proposal in group}
        wanted = [each for each in instances if (each.sop_class_uid, each.transfer_syntax_uid) in pairs]
        outcomes += _send_over_one_association(peer, group, wanted)
    return Sending(peer, tuple(outcomes), time.monotonic() - start)


def _send_over_one_association(
    peer: Peer, proposals: Sequence[Proposal], instances: Sequence[Instance]
) -> list[Outcome]:
    """Send until all is sent or the association ends; what is left then has the association's failure."""
    outcomes: list[Outcome] = []
    try:
        with _associate(peer, proposals) as association:
            for instance in instances:
                outcomes.append(_store(association, instance))
    except DicomError as error:
        outcomes += [Outcome(instance, None, str(error), error.failure) for instance in instances[len(outcomes) :]]
    return outcomes


def _associate(peer: Peer, proposals: Sequence[Proposal]) -> Association:
    """Open an association, trying again as often as ``peer.retries`` allows. Raises ``DicomError``."""
    for _ in range(peer.retries):
        try:
            return Association.request(connect(peer), peer, proposals)
        except DicomError:
            time.sleep(peer.retry_delay)
    return Association.request(connect(peer), peer, proposals)


def _store(association: Association, instance: Instance) -> Outcome:
    context_id = association.context_for(instance.sop_class_uid, instance.transfer_syntax_uid)
    if context_id is None:
        reason = next(
            refusal.reason
            for refusal in association.acceptance.refused
            if refusal.proposal == Proposal(instance.sop_class_uid, (instance.transfer_syntax_uid,))
        )
        text = (
            f"presentation context refused: {reason} "
            f"(SOP class {_named(instance.sop_class_uid)}, transfer syntax {_named(instance.transfer_syntax_uid)})"
        )
        return Outcome(instance, None, text, "presentation_context_refused")
    try:
        with instance.path.open("rb") as file:
            file.seek(instance.data_set_offset)
            status = association.store(context_id, instance.sop_class_uid, instance.sop_instance_uid, file)
    except OSError as error:
        # Half a data set may be on its way: this association cannot go on.
        raise DicomError("file_not_read", f"{instance.path} could not be read to its end: {error}.") from error
    failure: FailureName | None = None if status_accepts(status) else "dimse_status"
    return Outcome(instance, status, f"{status_in_words(status)} ({status:04X})", failure)


def _named(uid: str) -> str:
    """Return a UID behind its name, if the standard has one for it (PS3.6 Annex A)."""
    name = UID(uid).name
    return uid if name == uid else f"{name} {uid}"
