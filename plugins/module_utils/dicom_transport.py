# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a peer, step by step: name, TCP, TLS. Each step has its own deadline and tells its own failures."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from dataclasses import dataclass, replace

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_failure import DicomError
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_peer import Peer
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom_tls import (
    Certificate,
    HandshakeWatch,
    TlsSession,
    certificate_shown,
    client_context,
    failure_of_handshake,
    failure_of_peer_certificate,
    unverified_context,
)


class Deadline:
    """A moment that all parts of one step share, however many there are."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left. Raises ``TimeoutError`` when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Stopwatch:
    """Milliseconds since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def elapsed_ms(self) -> float:
        """Return the milliseconds so far, to a thousandth."""
        return round((time.perf_counter() - self._start) * 1000, 3)


@dataclass(frozen=True)
class Connection:
    """An open way to the peer, and what it took to open it."""

    socket: socket.socket
    tcp_ms: float
    tls_ms: float | None = None
    tls: TlsSession | None = None
    watch: HandshakeWatch | None = None


def connect(peer: Peer) -> Connection:
    """Open TCP, and TLS if the peer is to speak it. Raises ``DicomError``."""
    connection = open_tcp(peer)
    return start_tls(connection, peer) if peer.tls else connection


def open_tcp(peer: Peer) -> Connection:
    """Resolve the peer's name and connect to the first of its addresses that answers. Raises ``DicomError``."""
    stopwatch = Stopwatch()
    try:
        found = socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise DicomError(
            "name_not_resolved",
            f"The name {peer.host} does not resolve ({error}). Mend the name, or the resolver here.",
        ) from error

    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    deadline = Deadline(peer.timeouts.connect)
    failure: DicomError | None = None
    for position, (family, address) in enumerate(addresses):
        try:
            # An address that never answers leaves the others their share of the time.
            tcp = _connect(family, address, deadline.remaining() / (len(addresses) - position))
            return Connection(tcp, stopwatch.elapsed_ms())
        except OSError as error:
            failure = _failure_of_tcp(peer, str(address[0]), error)
    assert failure is not None
    raise failure


def start_tls(connection: Connection, peer: Peer) -> Connection:
    """Speak TLS on an open connection, which it closes and raises ``DicomError`` if that fails."""
    assert peer.tls is not None
    stopwatch = Stopwatch()
    context = client_context(peer.tls)
    watch = HandshakeWatch(context)
    connection.socket.settimeout(peer.timeouts.tls)
    try:
        tls = context.wrap_socket(connection.socket, server_hostname=peer.tls.server_name.removesuffix("."))
    except ssl.SSLCertVerificationError as error:
        failure = failure_of_peer_certificate(peer, error)
        shown = look_at_certificate(peer)
        if shown:
            failure.details["peer_certificate"] = shown.to_result()
        raise failure from error
    except (ssl.SSLEOFError, ConnectionError) as error:
        raise DicomError(
            "tls_failed",
            f"{peer} closed the connection during the TLS handshake. It may not speak TLS on this port, "
            "or want another version or cipher; its log says which.",
        ) from error
    except ssl.SSLError as error:
        raise failure_of_handshake(peer, error, watch) from error
    except TimeoutError as error:
        raise DicomError(
            "tls_timeout",
            f"{peer} accepted the connection, but did not finish the TLS handshake within {peer.timeouts.tls:g} s. "
            "It may not speak TLS on this port, or be overloaded.",
        ) from error
    except OSError as error:
        raise DicomError("tls_failed", f"The connection to {peer} broke in the TLS handshake: {error}.") from error

    cipher = tls.cipher()
    session = TlsSession(
        version=tls.version() or "",
        cipher=cipher[0] if cipher else "",
        client_certificate_requested=watch.client_certificate_requested,
        peer_certificate=certificate_shown(tls),
    )
    return replace(connection, socket=tls, tls_ms=stopwatch.elapsed_ms(), tls=session, watch=watch)


def look_at_certificate(peer: Peer) -> Certificate | None:
    """Connect once more, without verifying, to see the peer's certificate. Nothing is sent. ``None``: it shows none."""
    with contextlib.suppress(DicomError, OSError), _unverified(peer) as tls:
        return certificate_shown(tls)
    return None


def speaks_tls(peer: Peer) -> bool:
    """Connect once more to see whether the peer answers a TLS handshake, be it with an alert. Nothing is sent."""
    try:
        with _unverified(peer):
            return True
    except ssl.SSLError as error:
        return "_ALERT_" in (error.reason or "")
    except (DicomError, OSError):
        return False


def _unverified(peer: Peer) -> ssl.SSLSocket:
    tcp = open_tcp(peer).socket
    tcp.settimeout(peer.timeouts.tls)
    name = peer.tls.server_name if peer.tls else peer.host
    return unverified_context().wrap_socket(tcp, server_hostname=name.removesuffix("."))


def _connect(family: int, address: tuple, timeout: float) -> socket.socket:
    tcp = socket.socket(family, socket.SOCK_STREAM)
    try:
        tcp.settimeout(timeout)
        # Questions and answers are small here: waiting to fill a segment costs 40 ms each.
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tcp.connect(address)
    except OSError:
        tcp.close()
        raise
    return tcp


def _failure_of_tcp(peer: Peer, address: str, error: OSError) -> DicomError:
    where = str(peer) if address == peer.host else f"{peer} (address {address})"
    if isinstance(error, ConnectionRefusedError):
        return DicomError(
            "connection_refused",
            f"{where} refuses the connection: nothing listens on that port. Start the service, or mend the port.",
        )
    if isinstance(error, TimeoutError):
        return DicomError(
            "connect_timeout",
            f"{where} does not answer within {peer.timeouts.connect:g} s. "
            "A firewall drops the packets, or the machine is off.",
        )
    return DicomError("host_unreachable", f"{where} cannot be reached: {error.strerror or error}. Mend the network.")
