# SPDX-License-Identifier: GPL-3.0-or-later
"""One C-STORE (PS3.7 §9.1.1) of one file over an association that is there."""

from __future__ import annotations

import contextlib

with contextlib.suppress(ImportError):  # the module says what is missing
    from pydicom.uid import UID

from ..failure import DicomError
from ..net.association import Association, AssociationRequest
from ..net.transport import connect
from ..peer import Peer
from .files import Instance, open_unchanged, shown
from .groups import proposal_for
from .outcome import Outcome, outcome_of_status


class FileError(Exception):
    """A file could not be read to its end, so that half a data set is on its way: the association must end."""


def store_one(association: Association, instance: Instance) -> Outcome:
    """Send one instance. Raises ``DicomError`` and ``FileError`` if the association cannot go on."""
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
            raise FileError(_unreadable(error)) from error
    return outcome_of_status(instance, status)


def failure_to_answer(peer: Peer, instance: Instance) -> DicomError | None:
    """Send one instance over an association of its own. Return why the peer has not answered for it, if it has not."""
    request = AssociationRequest.to(peer, [proposal_for(instance)])
    try:
        with Association.request(connect(peer), request) as association:
            outcome = store_one(association, instance)
    except DicomError as error:
        return error
    except FileError as error:
        return DicomError("file_not_read", f"{shown(instance.path)}: {error}")
    return None if outcome.status is not None else DicomError("file_not_read", f"{outcome.status_text}.")


def _refused(association: Association, instance: Instance) -> Outcome:
    proposal = proposal_for(instance)
    reason = next(refusal.reason for refusal in association.acceptance.refused if refusal.proposal == proposal)
    text = (
        f"presentation context refused: {reason} "
        f"(SOP class {_named(instance.sop_class_uid)}, transfer syntax {_named(instance.transfer_syntax_uid)})"
    )
    return Outcome(instance, None, text, "presentation_context_refused")


def _unreadable(error: OSError) -> str:
    return f"the file could not be read: {error.strerror or error}"


def _named(uid: str) -> str:
    """Return a UID behind its name, if the standard has one for it (PS3.6 Annex A)."""
    name = UID(uid).name
    return uid if name == uid else f"{name} {uid}"
