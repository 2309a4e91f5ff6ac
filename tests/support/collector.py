# SPDX-License-Identifier: GPL-3.0-or-later
"""A collector of events that demands TLS and a client certificate (RFC 5425)."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any


class Collector:
    """Listens while it is entered; keeps the messages that it got.

    :param certificate: its certificate and key
    :param ca: the CA of its clients
    """

    def __init__(self, certificate: tuple[Path, Path], ca: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate)
        self.context.load_verify_locations(ca)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.messages: list[str] = []
        self.port = 0
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Collector:
        self._listener = socket.create_server(("", self.port))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept, self._listener)
        return self

    def _start(self, target: Callable[[Any], None], given: socket.socket) -> None:
        self._threads.append(threading.Thread(target=target, args=[given], daemon=True))
        self._threads[-1].start()

    def __exit__(self, *_exception: object) -> None:
        for each in [self._listener, *self._connections]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:  # before the numbers of their sockets are used again
            thread.join(10)
        for each in [self._listener, *self._connections]:
            each.close()
        self._connections.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                plain, _address = listener.accept()
                with suppress(ssl.SSLError):
                    secure = self.context.wrap_socket(plain, server_side=True)
                    self._connections.append(secure)
                    self._start(self._read, secure)

    def _read(self, connection: ssl.SSLSocket) -> None:
        rest = b""
        with suppress(OSError, ValueError):
            while received := connection.recv(1 << 16):
                rest += received
                while b" " in rest:
                    length, _space, after = rest.partition(b" ")
                    if len(after) < int(length):
                        break
                    self.messages.append(after[: int(length)].decode())
                    rest = after[int(length) :]
