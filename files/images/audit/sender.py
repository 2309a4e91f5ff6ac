# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends the audit trail to a collector over TLS (RFC 5425). The trail is the queue.

A line counts as sent once the collector's machine has acknowledged its bytes: the protocol has no answer, and
what is only in this machine's buffer is lost when the collector goes away. rsyslog lost a line that way in a trial.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import ssl
import struct
import termios
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

CHUNK = 1 << 18
ANSWER_SECONDS = 30
LONGEST_PAUSE_SECONDS = 60
CERTIFICATES = Path("/etc/audit")


class Sent:
    """How far each file of the trail has been sent, by its inode: a file may be renamed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            found = json.loads(path.read_text())
            self.offsets = {int(inode): int(offset) for inode, offset in found.items()}
        except (OSError, ValueError):
            self.offsets = {}

    def of(self, path: Path) -> int:
        return self.offsets.get(path.stat().st_ino, 0)

    def save(self, files: list[Path]) -> None:
        """Of these files; others are gone, and their inodes may be used again."""
        kept = {path.stat().st_ino for path in files}
        self.offsets = {inode: offset for inode, offset in self.offsets.items() if inode in kept}
        new = self.path.with_name(self.path.name + ".partial")
        new.write_text(json.dumps(self.offsets))
        new.rename(self.path)


def frame(line: bytes, source: str, host: str) -> bytes:
    """A message of RFC 5424, facility 13 (log audit), with its length in front (RFC 5425 section 4.3)."""
    received = json.loads(line)["received"]
    message = f"<110>1 {received} {host} orthweb - {source} - ".encode() + line
    return b"%d %s" % (len(message), message)


def connect(collector: dict[str, Any]) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=CERTIFICATES / "collector-ca.crt")
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # it refuses CAs without an authority key identifier
    if (CERTIFICATES / "client.crt").exists():
        context.load_cert_chain(CERTIFICATES / "client.crt", CERTIFICATES / "client.key")
    plain = socket.create_connection((collector["host"], collector["port"]), timeout=ANSWER_SECONDS)
    return context.wrap_socket(plain, server_hostname=collector["host"])


def check_open(connection: ssl.SSLSocket) -> None:
    """A collector says nothing. What there is to read is of TLS, or the end."""
    connection.settimeout(0)
    try:
        if not connection.recv(1 << 12):
            raise ConnectionResetError("the collector has ended the connection")
    except (ssl.SSLWantReadError, BlockingIOError):
        pass
    finally:
        connection.settimeout(ANSWER_SECONDS)


def deliver(connection: ssl.SSLSocket, frames: bytes) -> None:
    """Send it, and wait until it is acknowledged."""
    check_open(connection)
    connection.sendall(frames)
    end = time.monotonic() + ANSWER_SECONDS
    while struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]:
        if time.monotonic() > end:
            raise TimeoutError("the collector does not acknowledge what is sent")
        time.sleep(0.01)
    check_open(connection)


def send_new(files: list[Path], sent: Sent, host: str, send: Callable[[bytes], None]) -> None:
    """Whatever the files have that was not sent yet."""
    for path in files:
        while True:
            with path.open("rb") as file:
                inode, offset = os.fstat(file.fileno()).st_ino, sent.of(path)
                file.seek(offset)
                data = file.read(CHUNK)
            end = data.rfind(b"\n") + 1
            if not end:
                break
            send(b"".join(frame(line, path.parent.name, host) for line in data[:end].splitlines()))
            sent.offsets[inode] = offset + end
            sent.save(files)


def run(
    files: Callable[[], Iterator[Path]], state: Path, collector: dict[str, Any], complain: Callable[[str], None]
) -> None:
    """For ever."""
    sent, connection, pause, said = Sent(state), None, 1.0, ""
    while True:
        try:
            connection = connection or connect(collector)
            send_new(list(files()), sent, collector["from"], partial(deliver, connection))
            pause, said = 1.0, ""
        except (OSError, ValueError) as error:
            if connection:
                connection.close()
            connection, pause = None, min(pause * 2, LONGEST_PAUSE_SECONDS)
            if str(error) != said:
                complain(f"the collector {collector['host']}:{collector['port']} does not get the audit trail: {error}")
            said = str(error)
        time.sleep(pause)
