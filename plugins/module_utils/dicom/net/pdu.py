# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes over the wire: PDUs (PS3.8 §9.3) and DIMSE commands (PS3.7 §6.3), to bytes and from bytes.

Functions that read raise one of ``MALFORMED`` when the bytes are not what they should be.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO, cast

with contextlib.suppress(ImportError):  # the module says what is missing
    from pydicom.dataset import Dataset
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
    from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION
    from pynetdicom._globals import APPLICATION_CONTEXT_NAME
    from pynetdicom.dsutils import decode, encode
    from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
    from pynetdicom.pdu_primitives import (
        A_ASSOCIATE,
        ImplementationClassUIDNotification,
        ImplementationVersionNameNotification,
        MaximumLengthNotification,
    )
    from pynetdicom.presentation import build_context, negotiate_as_requestor

from ..peer import Peer
from ..words import context_result_in_words

VERIFICATION = "1.2.840.10008.1.1"

# PDU types (PS3.8 §9.3.1)
ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = 0x02, 0x03, 0x04, 0x05, 0x06, 0x07
PDU_TYPES = frozenset(range(0x01, 0x08))

# Command fields and data set types (PS3.7 Annex E.1)
C_STORE_RQ, C_ECHO_RQ, RESPONSE = 0x0001, 0x0030, 0x8000
NO_DATA_SET, WITH_DATA_SET = 0x0101, 0x0001

# What we send at most in one PDU to a peer that sets no limit.
LARGEST_FRAGMENT = 131072

# What reading bytes raises that are not what they claim to be.
MALFORMED = (ValueError, struct.error)


@dataclass(frozen=True)
class Proposal:
    """A presentation context to ask for: one SOP class, and transfer syntaxes to choose from (PS3.8 §9.3.2.2)."""

    sop_class_uid: str
    transfer_syntax_uids: tuple[str, ...]


@dataclass(frozen=True)
class Refusal:
    """A proposal that the peer did not take, and why (PS3.8 §9.3.3.2)."""

    proposal: Proposal
    reason: str


@dataclass(frozen=True)
class PeerInformation:
    """What the peer says of itself (PS3.7 Annex D.3.3). ``maximum_pdu`` 0: no limit."""

    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    maximum_pdu: int = 0


@dataclass(frozen=True)
class Acceptance:
    """An A-ASSOCIATE-AC: context IDs by SOP class and transfer syntax, refused proposals, the peer itself."""

    accepted: Mapping[tuple[str, str], int]
    refused: tuple[Refusal, ...]
    information: PeerInformation


def verification_proposal() -> Proposal:
    """Return the presentation context that C-ECHO needs (PS3.4 Annex A)."""
    return Proposal(VERIFICATION, (ImplicitVRLittleEndian, ExplicitVRLittleEndian))


def associate_request(peer: Peer, proposals: Sequence[Proposal]) -> bytes:
    """Return the A-ASSOCIATE-RQ (PS3.8 §9.3.2, PS3.7 Annex D.3.3) for at most 128 proposals."""
    length = MaximumLengthNotification()
    length.maximum_length_received = peer.maximum_pdu
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = PYNETDICOM_IMPLEMENTATION_UID
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = PYNETDICOM_IMPLEMENTATION_VERSION

    request = A_ASSOCIATE()
    request.application_context_name = APPLICATION_CONTEXT_NAME
    request.calling_ae_title = peer.calling_aet
    request.called_ae_title = peer.called_aet
    request.presentation_context_definition_list = _contexts(proposals)
    request.user_information = [length, implementation, version]
    return A_ASSOCIATE_RQ(request).encode()


def read_acceptance(pdu: bytes, proposals: Sequence[Proposal]) -> Acceptance:
    """Read the A-ASSOCIATE-AC (PS3.8 §9.3.3) that answers ``proposals``."""
    with _decoding():
        decoded = A_ASSOCIATE_AC()
        decoded.decode(pdu)
        answer = decoded.to_primitive()
        results = negotiate_as_requestor(_contexts(proposals), answer.presentation_context_definition_results_list)
        information = _peer_information(answer)
    accepted: dict[tuple[str, str], int] = {}
    refused = []
    for position, (context, proposal) in enumerate(zip(results, proposals, strict=True)):
        if context.result != 0:
            refused.append(Refusal(proposal, context_result_in_words(cast(int, context.result))))
            continue
        transfer_syntax = str(context.transfer_syntax[0])
        if transfer_syntax not in proposal.transfer_syntax_uids:
            raise ValueError(f"transfer syntax {transfer_syntax} was not proposed")
        accepted[proposal.sop_class_uid, transfer_syntax] = _context_id(position)
    return Acceptance(accepted, tuple(refused), information)


def release_request() -> bytes:
    """Return the A-RELEASE-RQ (PS3.8 §9.3.6)."""
    return struct.pack(">BxLxxxx", RELEASE_RQ, 4)


def abort_by_user() -> bytes:
    """Return the A-ABORT of a service-user (PS3.8 §9.3.8)."""
    return struct.pack(">BxLxxBB", ABORT, 4, 0, 0)


def command_set(elements: Mapping[str, Any]) -> bytes:
    """Return a command set, always in implicit VR little endian (PS3.7 §6.3.1), headed by its length."""
    command, head = Dataset(), Dataset()
    for keyword, value in elements.items():
        setattr(command, keyword, value)
    body = _encode(command)
    head.CommandGroupLength = len(body)
    return _encode(head) + body


def command_fragments(context_id: int, command: bytes, limit: int) -> Iterator[bytes]:
    """Cut a command set into P-DATA-TF PDUs for a peer whose maximum PDU is ``limit``."""
    return _fragments(context_id, 0x01, BytesIO(command), limit)


def data_set_fragments(context_id: int, data_set: BinaryIO, limit: int) -> Iterator[bytes]:
    """Cut a data set into P-DATA-TF PDUs for a peer whose maximum PDU is ``limit``, reading as it goes."""
    return _fragments(context_id, 0x00, data_set, limit)


def collect_command(pdu: bytes, command: bytearray) -> bool:
    """Add the command fragments of a P-DATA-TF PDU (PS3.8 §9.3.5.1, Annex E.2); say whether the last was among them."""
    position = 6
    while position < len(pdu):
        length, control = struct.unpack_from(">LxB", pdu, position)
        end = position + 4 + length
        if length < 2 or end > len(pdu):
            raise ValueError(f"presentation data value of {length} bytes")
        if control & 0x01:
            command += pdu[position + 6 : end]
            if control & 0x02:
                return True
        position = end
    return False


def status_of_response(command: bytes, request: Mapping[str, Any]) -> int:
    """Return the status of the response to ``request`` (PS3.7 §9.3.1.2, §9.3.5.2)."""
    with _decoding():
        response = decode(BytesIO(command), True, True)
        command_field, message_id = int(response.CommandField), int(response.MessageIDBeingRespondedTo)
        status = int(response.Status)
    if command_field != request["CommandField"] | RESPONSE:
        raise ValueError(f"command field {command_field:04X}")
    if message_id != request["MessageID"]:
        raise ValueError(f"response to message {message_id}")
    return status


@contextlib.contextmanager
def _decoding() -> Iterator[None]:
    """Turn whatever pynetdicom and pydicom raise on bytes that are not what they claim to be into ``ValueError``.

    That is many an exception without a common base: ``BytesLengthException``, ``AttributeError``, ``RecursionError``.
    """
    try:
        yield
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _fragments(context_id: int, control: int, message: BinaryIO, limit: int) -> Iterator[bytes]:
    """Yield one fragment a PDU (PS3.8 §9.3.5, Annex E.2), the last of them marked.

    ``limit`` holds for the PDU's length, of which the fragment's length, context and control header take 6 bytes.
    """
    size = min(limit or LARGEST_FRAGMENT, LARGEST_FRAGMENT) - 6
    fragment = message.read(size)
    while True:
        following = message.read(size)
        header = control if following else control | 0x02
        yield struct.pack(">BxLLBB", P_DATA, len(fragment) + 6, len(fragment) + 2, context_id, header) + fragment
        if not following:
            return
        fragment = following


def _context_id(position: int) -> int:
    """Return the ID of a presentation context: odd, 1 to 255 (PS3.8 §9.3.2.2)."""
    return 2 * position + 1


def _contexts(proposals: Sequence[Proposal]) -> list:
    contexts = []
    for position, proposal in enumerate(proposals):
        context = build_context(proposal.sop_class_uid, [*proposal.transfer_syntax_uids])
        context.context_id = _context_id(position)
        contexts.append(context)
    return contexts


def _peer_information(answer: A_ASSOCIATE) -> PeerInformation:
    length = answer.maximum_length_received
    if length is None or 0 < length < 7:
        raise ValueError(f"maximum length {length}")
    implementation = version = ""
    for item in answer.user_information:
        if isinstance(item, ImplementationClassUIDNotification):
            implementation = str(item.implementation_class_uid or "")
        elif isinstance(item, ImplementationVersionNameNotification):
            version = str(item.implementation_version_name or "").strip()
    return PeerInformation(implementation, version, length)


def _encode(elements: Dataset) -> bytes:
    encoded = encode(elements, True, True)
    if encoded is None:  # pynetdicom has logged why
        raise ValueError(f"cannot be coded: {elements}")
    return encoded
