# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection as PDUs go over it (PS3.8 §9.3): sent whole, and read whole.

pynetdicom's own reader waits without end for the rest of a PDU and believes any length that one announces, which a peer
that is not what it should be can use to hang us or to fill our memory. Here every wait has a deadline, and every PDU an
upper limit.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct

from ..failure import DicomError
from ..peer import Peer
from . import failures
from .pdu import ABORT, PDU_TYPES
from .transport import Connection, Deadline

# The A-ASSOCIATE-AC for 128 presentation contexts is well below this, and so is any DIMSE response.
LARGEST_ANSWER = 262144

_TLS_ALERT = 0x15


class PeerClosedError(Exception):
    """The peer has ended the connection. ``unanswered``: before the first byte of the answer that we wait for."""

    def __init__(self, unanswered: bool) -> None:
        super().__init__()
        self.unanswered = unanswered


class PduStream:
    """The PDUs that go over ``connection`` to ``peer`` and back."""

    def __init__(self, connection: Connection, peer: Peer) -> None:
        self._connection = connection
        self._peer = peer
        self._socket = connection.socket

    @property
    def certificate_requested(self) -> bool:
        """Say whether the peer has asked for our certificate when TLS was begun."""
        session = self._connection.tls
        return session is not None and session.client_certificate_requested

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Send all of ``data``. Raises ``TimeoutError``, ``PeerClosedError`` and ``DicomError``."""
        left = memoryview(data)
        try:
            # Not sendall, whose time-out begins again with each part that TLS sends.
            while left:
                self._socket.settimeout(deadline.remaining())
                left = left[self._socket.send(left) :]
        except TimeoutError:
            raise
        except OSError as error:
            raise self._why_closed() from error

    def read(self, deadline: Deadline) -> tuple[int, bytes]:
        """Read one PDU whole, its header included, and return it behind its type.

        Raises ``TimeoutError``, ``PeerClosedError``, and ``DicomError`` for what is no PDU.
        """
        header = self._receive(6, deadline, unanswered=True)
        kind, length = struct.unpack(">BxL", header)
        if kind == _TLS_ALERT and self._peer.tls is None:
            raise failures.tls_expected(self._peer)
        if kind not in PDU_TYPES:
            raise failures.not_dicom(self._peer, f"answered with {self._excerpt(header)!r}")
        if length > max(LARGEST_ANSWER, self._peer.maximum_pdu):
            raise failures.not_dicom(
                self._peer, f"announced a PDU of {length} bytes, which no answer of a DICOM peer has"
            )
        return kind, header + self._receive(length, deadline, unanswered=False)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _receive(self, length: int, deadline: Deadline, unanswered: bool) -> bytes:
        data = bytearray()
        while len(data) < length:
            self._socket.settimeout(deadline.remaining())
            try:
                self._acknowledge_at_once()
                received = self._socket.recv(length - len(data))
            except TimeoutError:
                raise
            except ssl.SSLEOFError as error:
                raise PeerClosedError(unanswered and not data) from error
            except ssl.SSLError as error:
                raise failures.of_tls(self._peer, error, self.certificate_requested) from error
            except OSError as error:
                raise PeerClosedError(unanswered and not data) from error
            if not received:
                raise PeerClosedError(unanswered and not data)
            data += received
        return bytes(data)

    def _acknowledge_at_once(self) -> None:
        """Have the kernel not delay its next ACK, for which a peer with Nagle's algorithm, as dcmtk, waits 40 ms.

        Linux has this, and only until the next time.
        """
        if hasattr(socket, "TCP_QUICKACK"):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _excerpt(self, beginning: bytes) -> str:
        """Return the first line of an answer that is not DICOM, as far as it is there already."""
        with contextlib.suppress(OSError):
            self._socket.settimeout(0.2)
            beginning += self._socket.recv(60)
        return beginning.splitlines()[0].decode("ascii", "backslashreplace") if beginning.strip() else ""

    def _why_closed(self) -> Exception:
        """Return what a peer that takes no more data has said last: an alert, an A-ABORT, or nothing."""
        try:
            kind, pdu = self.read(Deadline(1))
        except (DicomError, PeerClosedError) as said:
            return said
        except OSError:
            return PeerClosedError(unanswered=True)
        if kind == ABORT:
            return failures.of_abort(self._peer, pdu, "what we sent")
        return PeerClosedError(unanswered=False)
