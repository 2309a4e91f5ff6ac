# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that break at a byte, and in a way, that no real peer can be had to repeat: a socket of our own does."""

from __future__ import annotations

import socket
import ssl
from typing import Any, NoReturn

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.failure import DicomError
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net.association import (
    Association,
    AssociationRequest,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net.pdu import verification_proposal
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net.tls import TlsSession
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.net.transport import Connection

from support.peers import peer_at

ABORT = bytes.fromhex("07000000000400000206")
WITHOUT, AMIDST = "closed the connection without an answer", "closed the connection in the middle of its answer"
SESSION = TlsSession("TLSv1.3", "x", client_certificate_requested=False)  # so that the peer is not asked about TLS


def broken(error: Exception) -> NoReturn:
    raise error


class Socket:
    """Takes all that is sent, or breaks; and has ``said``, one part a read, an exception for a broken one."""

    def __init__(self, *said: bytes | Exception, sending: Exception | None = None) -> None:
        self.said, self.sending = list(said), sending
        self.options: list[tuple[int, int, int]] = []
        self.closed = False

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def setsockopt(self, *option: int) -> None:
        self.options.append(option)

    def send(self, data: memoryview) -> int:
        if self.sending:
            raise self.sending
        return len(data)

    def recv(self, length: int) -> bytes:
        said = self.said.pop(0) if self.said else b""
        if isinstance(said, Exception):
            broken(said)
        self.said[:0] = [said[length:]] if said[length:] else []
        return said[:length]

    def close(self) -> None:
        self.closed = True


def failure_of_request(ours: Socket) -> tuple[str, str]:
    peer: Any = peer_at(104)
    connection: Any = Connection(ours, 1.0, tls=SESSION)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(DicomError) as failed:
        patch.setattr(f"{Association.__module__}.speaks_tls", lambda _peer: False)
        Association.request(connection, AssociationRequest.to(peer, [verification_proposal()]))
    assert ours.closed
    return failed.value.failure, str(failed.value)


@pytest.mark.parametrize("error", [ConnectionResetError(), ssl.SSLEOFError(), None])
@pytest.mark.parametrize(
    ("said", "expected"), [([], WITHOUT), ([b"\x02\x00"], AMIDST), ([b"\x02\x00\0\0\0\x09"], AMIDST)]
)
def test_an_end_before_the_answer_is_told_from_one_within_it(
    error: Exception | None, said: list[bytes], expected: str
) -> None:
    failure, sentence = failure_of_request(Socket(*said, *([error] if error else [])))
    assert failure == "connection_closed"
    assert expected in sentence


@pytest.mark.parametrize(
    ("said", "failure", "expected"),
    [
        (ABORT, "association_aborted", "answered what we sent with A-ABORT"),
        (b"\x03\x00\0\0\0\x04\0\1\1\1", "connection_closed", AMIDST),
        (b"SSH-2.0-x\r\n", "not_dicom", "SSH-2.0-x"),
        (b"", "connection_closed", WITHOUT),
        (ConnectionResetError(), "connection_closed", WITHOUT),
        (TimeoutError(), "connection_closed", WITHOUT),
    ],
)
def test_what_a_peer_has_said_that_takes_no_more(said: bytes | Exception, failure: str, expected: str) -> None:
    found, sentence = failure_of_request(Socket(said, sending=BrokenPipeError()))
    assert found == failure
    assert expected in sentence


def test_the_kernel_is_told_before_each_read_not_to_delay_its_acknowledgement() -> None:
    """Or else each exchange with dcmtk takes 40 ms longer."""
    ours = Socket(ABORT[:6], ABORT[6:])
    assert failure_of_request(ours)[0] == "association_aborted"
    assert ours.options == [(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)] * 2
