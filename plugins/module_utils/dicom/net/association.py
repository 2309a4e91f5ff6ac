# SPDX-License-Identifier: GPL-3.0-or-later
"""An association as its requestor: A-ASSOCIATE, C-ECHO, C-STORE, A-RELEASE (PS3.8 §9.3, PS3.7 §9.3).

pynetdicom codes the association's PDUs; the talking is done here, in the caller's thread, over a ``stream``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from ..failure import DicomError
from ..peer import Peer
from . import failures
from .pdu import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    C_ECHO_RQ,
    C_STORE_RQ,
    MALFORMED,
    NO_DATA_SET,
    P_DATA,
    RELEASE_RQ,
    VERIFICATION,
    WITH_DATA_SET,
    Acceptance,
    PeerInformation,
    Proposal,
    abort_by_user,
    associate_request,
    collect_command,
    command_fragments,
    command_set,
    data_set_fragments,
    read_acceptance,
    release_request,
    status_of_response,
)
from .stream import LARGEST_ANSWER, PduStream, PeerClosedError
from .transport import Connection, Deadline, Stopwatch, speaks_tls


@dataclass(frozen=True)
class AssociationRequest:
    """An A-ASSOCIATE-RQ (PS3.8 §9.3.2), coded before there is a connection that would have to wait for it."""

    peer: Peer
    proposals: tuple[Proposal, ...]
    encoded: bytes

    @classmethod
    def to(cls, peer: Peer, proposals: Sequence[Proposal]) -> AssociationRequest:
        """Return the request to ``peer`` for at most 128 presentation contexts."""
        return cls(peer, tuple(proposals), associate_request(peer, proposals))


@dataclass(frozen=True)
class Command:
    """The command set of a DIMSE request (PS3.7 §6.3): its elements by their keywords, and its bytes."""

    elements: Mapping[str, Any]
    encoded: bytes

    @classmethod
    def of(cls, elements: Mapping[str, Any]) -> Command:
        """Return the command with these elements."""
        return cls(elements, command_set(elements))


def echo_command(message_id: int) -> Command:
    """Return a C-ECHO-RQ (PS3.7 §9.3.5.1). Message IDs are 1 to 65535."""
    return Command.of(
        {
            "AffectedSOPClassUID": VERIFICATION,
            "CommandField": C_ECHO_RQ,
            "MessageID": message_id,
            "CommandDataSetType": NO_DATA_SET,
        }
    )


class Association:
    """An association with ``peer`` over ``connection``; made by ``request``.

    As a context manager it is released at the end, or aborted if the block raises. The connection is closed in any
    case.
    """

    def __init__(self, connection: Connection, peer: Peer) -> None:
        self.peer = peer
        self.acceptance = Acceptance({}, (), PeerInformation())
        self.establishment_ms = 0.0
        self._stream = PduStream(connection, peer)
        self._message_id = 0

    @classmethod
    def request(cls, connection: Connection, request: AssociationRequest) -> Association:
        """Ask the peer for an association.

        Raises ``DicomError``; the connection is closed then. That all presentation contexts were refused is no
        failure here: see ``acceptance.refused``.
        """
        association = cls(connection, request.peer)
        try:
            stopwatch = Stopwatch()
            association.acceptance = association._establish(request)
            association.establishment_ms = stopwatch.elapsed_ms()
        except BaseException:
            association.close()
            raise
        return association

    def __enter__(self) -> Association:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_unused: object) -> None:
        if kind is None:
            self.release()
        else:
            self.abort()

    def context_for(self, sop_class_uid: str, transfer_syntax_uid: str | None = None) -> int | None:
        """Return the accepted presentation context for a SOP class, in that transfer syntax if one is given."""
        for (sop_class, transfer_syntax), context_id in self.acceptance.accepted.items():
            if sop_class == sop_class_uid and transfer_syntax_uid in (None, transfer_syntax):
                return context_id
        return None

    def echo(self, context_id: int, command: Command) -> int:
        """Send a C-ECHO (PS3.7 §9.3.5) and return the status of its response. Raises ``DicomError``."""
        return self._exchange(context_id, command, None)

    def store(self, context_id: int, sop_class_uid: str, sop_instance_uid: str, data_set: BinaryIO) -> int:
        """Send a C-STORE (PS3.7 §9.3.1) with the data set as ``data_set`` has it, byte for byte.

        Returns the status of the response. Raises ``DicomError``, and ``OSError`` if ``data_set`` cannot be read.
        """
        self._message_id = self._message_id % 0xFFFF + 1
        command = Command.of(
            {
                "AffectedSOPClassUID": sop_class_uid,
                "CommandField": C_STORE_RQ,
                "MessageID": self._message_id,
                "Priority": 0x0000,
                "CommandDataSetType": WITH_DATA_SET,
                "AffectedSOPInstanceUID": sop_instance_uid,
            }
        )
        return self._exchange(context_id, command, data_set)

    def release(self) -> None:
        """End the association in order (PS3.8 §9.3.6), and close. A peer that does not answer changes nothing."""
        with contextlib.suppress(DicomError, PeerClosedError, OSError):
            deadline = Deadline(self.peer.timeouts.association)
            self._stream.send(release_request(), deadline)
            while self._stream.read(deadline)[0] == P_DATA:
                pass
        self.close()

    def abort(self) -> None:
        """End the association at once (A-ABORT by the service-user, PS3.8 §9.3.8), and close."""
        with contextlib.suppress(DicomError, PeerClosedError, OSError):
            self._stream.send(abort_by_user(), Deadline(1))
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def _establish(self, request: AssociationRequest) -> Acceptance:
        deadline = Deadline(self.peer.timeouts.association)
        try:
            self._stream.send(request.encoded, deadline)
            kind, pdu = self._stream.read(deadline)
        except TimeoutError as error:
            raise failures.association_timeout(self.peer, deadline.seconds) from error
        except PeerClosedError as error:
            why = self._why_request_not_answered() if error.unanswered else failures.request_cut_off(self.peer)
            raise why from error

        if kind == ASSOCIATE_RJ:
            raise failures.of_rejection(self.peer, pdu)
        if kind == ABORT:
            raise failures.of_abort(self.peer, pdu, "A-ASSOCIATE-RQ")
        if kind != ASSOCIATE_AC:
            raise failures.not_dicom(self.peer, f"answered A-ASSOCIATE-RQ with a PDU of type {kind:02X}")
        try:
            return read_acceptance(pdu, request.proposals)
        except MALFORMED as error:
            raise failures.not_dicom(
                self.peer, f"answered with an A-ASSOCIATE-AC that cannot be decoded ({error!r})"
            ) from error

    def _exchange(self, context_id: int, command: Command, data_set: BinaryIO | None) -> int:
        """Send one DIMSE request and return the status of its response."""
        operation = "C-ECHO" if data_set is None else "C-STORE"
        limit = self.acceptance.information.maximum_pdu
        try:
            for pdu in command_fragments(context_id, command.encoded, limit):
                self._stream.send(pdu, Deadline(self.peer.timeouts.dimse))
            if data_set is not None:
                for pdu in data_set_fragments(context_id, data_set, limit):
                    self._stream.send(pdu, Deadline(self.peer.timeouts.dimse))
            return self._read_status(command.elements, operation)
        except TimeoutError as error:
            raise failures.dimse_timeout(self.peer, operation) from error
        except PeerClosedError as error:
            raise failures.operation_cut_off(self.peer, operation) from error

    def _read_status(self, request: Mapping[str, Any], operation: str) -> int:
        """Wait for the response to ``request`` and return its status (PS3.7 §9.3.1.2, §9.3.5.2)."""
        deadline = Deadline(self.peer.timeouts.dimse)
        encoded = bytearray()
        while True:
            kind, pdu = self._stream.read(deadline)
            if kind == ABORT:
                raise failures.of_abort(self.peer, pdu, operation)
            if kind == RELEASE_RQ:
                raise failures.release_instead(self.peer, operation)
            if kind != P_DATA:
                raise failures.not_dicom(self.peer, f"answered {operation} with a PDU of type {kind:02X}")
            try:
                if collect_command(pdu, encoded):
                    return status_of_response(bytes(encoded), request)
            except MALFORMED as error:
                raise failures.not_dicom(
                    self.peer, f"answered {operation} with a message that cannot be decoded ({error!r})"
                ) from error
            if len(encoded) > LARGEST_ANSWER:
                raise failures.not_dicom(self.peer, f"answered {operation} with a command set without end")

    def _why_request_not_answered(self) -> DicomError:
        """Say why a peer closes the connection rather than answer A-ASSOCIATE-RQ, as far as can be known."""
        if self.peer.tls is None and speaks_tls(self.peer):
            return failures.tls_expected(self.peer)
        return failures.request_not_answered(self.peer, self._stream.certificate_requested)
