# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives the WAL files that PostgreSQL names at a socket. Nothing else can be asked for there.

PostgreSQL sends "push NAME" and gets "archived NAME" once the file is in each repository, or "failed" and a reason. It
keeps the file until then, and asks again.
"""

from __future__ import annotations

import re
import socketserver
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from repository import FailedError
from wal import is_wal

SOCKET = Path("/run/postgresql/backup.sock")
SECONDS = 90  # less than the client waits, and than a server that is stopped gets
MOST_BYTES = 64  # of a question
QUESTION = re.compile(rb"push ([0-9A-Za-z.]{1,48})\n", re.ASCII)

Push = Callable[[Path], None]


def answer(question: bytes, wal: Path, push: Push) -> str:
    """What the server is told; see above.

    :param wal: the server's folder of WAL files
    """
    found = QUESTION.fullmatch(question)
    name = found[1].decode() if found else ""
    if not is_wal(name):
        return "failed: only a WAL file can be archived here"
    path = wal / name
    if path.is_symlink() or not path.is_file():
        return f"failed: {name} is not a file in {wal}"
    try:
        push(path)
    except FailedError as failure:
        print(f"backup: {name} was not archived: {failure}", file=sys.stderr, flush=True)
        return "failed: " + " ".join(str(failure).split())[:400]
    return f"archived {name}"


def finished(path: Path) -> datetime | None:
    """When the server had filled a segment: everything acknowledged before is in it or in an earlier one."""
    ready = path.parent / "archive_status" / f"{path.name}.ready"
    try:
        return datetime.fromtimestamp(ready.stat().st_mtime, UTC)
    except OSError:
        return None


class Handler(socketserver.StreamRequestHandler):
    timeout = 5  # of a read or a write: nobody keeps others waiting
    wal: Path
    push: Push

    def handle(self) -> None:
        try:
            question = self.rfile.readline(MOST_BYTES)
            self.wfile.write(answer(question, self.wal, type(self).push).encode() + b"\n")
        except OSError as problem:
            print(f"backup: a question at {SOCKET} was not answered: {problem}", file=sys.stderr, flush=True)


class Server(socketserver.UnixStreamServer):
    request_queue_size = 8


def serve(wal: Path, push: Push, socket: Path = SOCKET) -> Server:
    """A server that is ready; it has to be run."""
    socket.unlink(missing_ok=True)

    class Own(Handler):
        pass

    Own.wal, Own.push = wal, staticmethod(push)
    return Server(str(socket), Own)
