# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands before the API and answers some calls itself, with the errors that AWS has on a bad day."""

from __future__ import annotations

import http.client
import json
import re
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit

JSON_SERVICES = {"kms", "secretsmanager", "logs", "tagging", "servicequotas"}
ERRORS = {
    "ec2": "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
    "<RequestID>0</RequestID></Response>",
    "query": "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    "<RequestId>0</RequestId></ErrorResponse>",
}


@dataclass
class Fault:
    """Answers calls of ``action`` ("ec2:CreateVpc", or "" for all) with an error.

    :ivar times: how many of them, 0 for all
    :ivar skip: how many are let through before
    :ivar after: an action that must have been called before the first one is refused
    :ivar used: how many were refused
    """

    action: str
    code: str
    message: str = "as the test wants it"
    status: int = 400
    times: int = 0
    skip: int = 0
    after: str = ""
    used: int = 0

    def __post_init__(self) -> None:
        self.armed = not self.after

    def refuses(self, action: str) -> bool:
        if not self.armed or (self.action and action != self.action) or (self.times and self.used >= self.times):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.used += 1
        return True

    def body(self, service: str) -> bytes:
        if service in JSON_SERVICES:
            return json.dumps({"__type": self.code, "message": self.message}).encode()
        return ERRORS.get(service, ERRORS["query"]).format(code=self.code, message=self.message).encode()


def service_and_action(headers: http.client.HTTPMessage, body: bytes) -> tuple[str, str]:
    scope = re.search(r"Credential=[^/]*/\d+/[^/]*/([^/]+)/", headers.get("Authorization", ""))
    form = re.search(rb"(?:^|&)Action=(\w+)", body)
    return scope[1] if scope else "-", form[1].decode() if form else headers.get("X-Amz-Target", "").rpartition(".")[2]


class Proxy:
    """A context manager; ``faults`` may be changed while it runs."""

    def __init__(self, port: int, server_url: str, *faults: Fault) -> None:
        self.server = urlsplit(server_url).netloc
        self.faults = list(faults)
        self.lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                proxy.handle(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{port}"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self.http.serve_forever, name="proxy", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.shutdown()
        self.http.server_close()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        service, name = service_and_action(request.headers, body)
        action = f"{service}:{name}"
        with self.lock:
            fault = next((fault for fault in self.faults if fault.refuses(action)), None)
        if fault:
            kind = "application/x-amz-json-1.1" if service in JSON_SERVICES else "text/xml"
            self.answer(request, fault.status, {"Content-Type": kind}, fault.body(service))
            return
        connection = http.client.HTTPConnection(self.server, timeout=60)
        # Without the host, moto would not know an S3 bucket's name.
        connection.request(request.command, request.path, body, dict(request.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        with self.lock:
            for fault in self.faults:
                fault.armed = fault.armed or (fault.after == action and answer.status < 400)
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in ("transfer-encoding", "date")}
        self.answer(request, answer.status, kept, content)

    @staticmethod
    def answer(request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes) -> None:
        request.send_response_only(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            if name.lower() != "connection":
                request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
