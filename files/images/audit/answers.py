# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers questions to the audit trail, of admins on the archive's page: HTTP at a socket that nginx has.

A question is a JSON object with study, account, since and until, each of which may be empty, and format: "rows" or
"csv". Each is answered by a process of its own, one at a time, which may take so much time and memory: whatever is
asked for, what keeps the trail goes on.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socketserver
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NoReturn

from formats import as_csv, as_rows
from trail import Query, read

SECONDS = 20
MEMORY_BYTES = 160 << 20
MOST = {"rows": 50, "csv": 10000}
MOST_BYTES = 8 << 10  # of a question
TIME = re.compile(r"(\d{4}-\d{2}-\d{2}(T\d{2}(:\d{2}(:\d{2})?)?)?)?")
SHAPES = {
    "study": re.compile(r"[0-9.]{0,64}"),
    "account": re.compile(r"[^\x00-\x1f]{0,128}"),
    "since": TIME,
    "until": TIME,
    "format": re.compile("rows|csv"),
}


def question(body: bytes) -> dict[str, str] | None:
    """What is asked for; nothing if that is no question."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        return None
    asked = {"format": "rows", **given}
    known = all(name in SHAPES and SHAPES[name].fullmatch(value) for name, value in asked.items())
    return asked if known else None


def answer(folder: Path, asked: dict[str, str]) -> dict[str, Any]:
    """The latest events of it, and whether there are more."""
    form = asked["format"]
    query = Query(**{name: value for name, value in asked.items() if name != "format"})
    events = read(folder, query, MOST[form] + 1)
    shown = events[-MOST[form] :]
    return {
        "events" if form == "rows" else "csv": as_rows(shown) if form == "rows" else as_csv(shown),
        "more": len(events) > len(shown),
    }


def limit() -> None:
    """This process, which is for one question."""

    def end(_number: int, _frame: object) -> NoReturn:
        raise TimeoutError

    os.nice(10)
    signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


class Handler(BaseHTTPRequestHandler):
    folder: Path
    timeout = 30  # of a read or a write

    def do_POST(self) -> None:
        limit()
        length = int(self.headers.get("Content-Length") or 0)
        asked = question(self.rfile.read(length)) if length <= MOST_BYTES else None
        if asked is None:
            return self.say(400, {"error": "This is no question to the audit trail."})
        try:
            found = answer(self.folder, asked)
        except (TimeoutError, MemoryError):
            return self.say(422, {"error": "That is too much at once. Ask for a shorter time."})
        except OSError:  # a file was compressed meanwhile
            return self.say(503, {"error": "The audit trail cannot be read now. Try again in a minute."})
        return self.say(200, found)

    def say(self, status: int, content: dict[str, Any]) -> None:
        signal.alarm(0)
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """nginx writes down who has asked for what."""


class Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    max_children = 1
    request_queue_size = 32


def run(folder: Path, socket: Path) -> None:
    """For ever."""
    socket.unlink(missing_ok=True)
    Handler.folder = folder
    with Server(str(socket), Handler) as server:
        socket.chmod(0o666)  # only nginx and this container have the folder
        server.serve_forever()
