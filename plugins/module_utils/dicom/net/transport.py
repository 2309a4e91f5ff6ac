# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a peer, step by step: name, TCP, TLS. Each step has its own deadline and tells its own failures."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from concurrent import futures
from dataclasses import dataclass, replace
from typing import cast

from ..failure import DicomError
from ..peer import Peer
from . import failures
from .tls import (
    Certificate,
    TlsOptionsError,
    TlsSession,
    WatchedSocket,
    certificate_shown,
    client_context,
    unverified_context,
)

# As socket.getaddrinfo has them: address family, and what socket.connect takes.
Address = tuple[int, tuple]


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


def connect(peer: Peer) -> Connection:
    """Open TCP, and TLS if the peer is to speak it. Raises ``DicomError``."""
    connection = open_tcp(peer)
    return start_tls(connection, peer) if peer.tls else connection


def open_tcp(peer: Peer) -> Connection:
    """Resolve the peer's name and connect to the first of its addresses that answers. Raises ``DicomError``."""
    stopwatch = Stopwatch()
    deadline = Deadline(peer.timeouts.connect)
    addresses = resolve(peer)
    failure = failures.name_without_address(peer)
    for position, (family, address) in enumerate(addresses):
        try:
            # An address that never answers leaves the others their share of the time.
            tcp = _connect(family, address, deadline.remaining() / (len(addresses) - position))
            return Connection(tcp, stopwatch.elapsed_ms())
        except OSError as error:
            failure = failures.of_tcp(peer, str(address[0]), error)
    raise failure


def resolve(peer: Peer) -> list[Address]:
    """Return the addresses of the peer, each once, in the order to try them. Raises ``DicomError``.

    The resolver's own time-outs are not ours, and nothing can interrupt it: it is left behind when the time is up.
    """
    with contextlib.suppress(OSError, UnicodeError):  # an IP address needs no resolver
        return _addresses(peer.host, peer.port, socket.AI_NUMERICHOST)
    lookup = _lookup(peer.host, peer.port)
    done, _unused = futures.wait([lookup], peer.timeouts.connect)
    if not done:
        raise failures.resolver_timeout(peer)
    try:
        return lookup.result()
    except (OSError, UnicodeError) as error:
        raise failures.name_not_resolved(peer, error) from error


def start_tls(connection: Connection, peer: Peer, context: ssl.SSLContext | None = None) -> Connection:
    """Speak TLS on an open connection, which it closes and raises ``DicomError`` if that fails.

    ``context`` is the one that ``peer.tls`` describes, if it is there already.
    """
    if peer.tls is None:
        raise AssertionError(f"{peer} is to be spoken to in the clear")
    try:
        context = context or client_context(peer.tls)
    except TlsOptionsError as error:
        connection.socket.close()
        raise failures.tls_files_not_read(peer, error) from error
    stopwatch = Stopwatch()
    connection.socket.settimeout(peer.timeouts.tls)
    tls: WatchedSocket | None = None
    try:
        tls = cast(
            WatchedSocket,
            context.wrap_socket(
                connection.socket,
                server_hostname=peer.tls.server_name.removesuffix("."),
                do_handshake_on_connect=False,
            ),
        )
        tls.do_handshake()
    except OSError as error:
        requested = False
        if tls is not None:
            requested = tls.client_certificate_requested
            tls.close()
        failure = failures.of_handshake(peer, error, requested)
        if isinstance(error, ssl.SSLCertVerificationError) and (shown := look_at_certificate(peer)):
            failure.details["peer_certificate"] = shown.to_result()
        raise failure from error

    cipher = tls.cipher()
    session = TlsSession(
        version=tls.version() or "",
        cipher=cipher[0] if cipher else "",
        client_certificate_requested=tls.client_certificate_requested,
        certificate_der=tls.getpeercert(binary_form=True),
    )
    return replace(connection, socket=tls, tls_ms=stopwatch.elapsed_ms(), tls=session)


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


# Lookups under way, by host and port: whoever wants the same meanwhile waits for the same, so that a resolver that
# never answers costs one thread a name, however often it is asked.
_lookups: dict[tuple[str, int], futures.Future[list[Address]]] = {}
_lookups_lock = threading.Lock()


def _lookup(host: str, port: int) -> futures.Future[list[Address]]:
    with _lookups_lock:
        if (host, port) not in _lookups:
            lookup: futures.Future[list[Address]] = futures.Future()
            # A daemon, so that the process can end while it hangs.
            threading.Thread(target=_look_up, args=(host, port, lookup), daemon=True).start()
            _lookups[host, port] = lookup
        return _lookups[host, port]


def _look_up(host: str, port: int, lookup: futures.Future[list[Address]]) -> None:
    try:
        lookup.set_result(_addresses(host, port))
    except Exception as error:
        lookup.set_exception(error)  # the business of those who wait
    finally:
        with _lookups_lock:
            del _lookups[host, port]


def _addresses(host: str, port: int, flags: int = 0) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return list(dict.fromkeys((int(family), address) for family, *_unused, address in found))


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
