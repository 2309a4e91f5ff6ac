# SPDX-License-Identifier: GPL-3.0-or-later
"""Orthanc's REST API, with an HTTP server in its place."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.orthanc_rest import Orthanc, RestError, enter_network


@dataclass
class StandIn:
    """What it answers, and what it was asked."""

    port: int = 0
    status: int = 200
    answer: str = ""
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)

    @property
    def orthanc(self) -> Orthanc:
        return Orthanc("nginx", "sesame", tls=False, port=self.port)


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    one = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            one.asked.append((self.command, self.path, self.headers["Authorization"], body))
            self.send_response(one.status)
            self.end_headers()
            self.wfile.write(one.answer.encode())

        do_GET = do_PUT = respond  # noqa: N815

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    one.port = server.server_port
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield one
    server.shutdown()
    server.server_close()
    thread.join()


def test_it_is_asked_with_the_login_and_answers_json(stand_in: StandIn) -> None:
    stand_in.answer = '{"ct": {"AET": "CT1"}}'
    assert stand_in.orthanc.ask("GET", "/modalities?expand") == {"ct": {"AET": "CT1"}}
    assert stand_in.asked == [("GET", "/modalities?expand", "Basic bmdpbng6c2VzYW1l", "")]


def test_an_empty_answer_is_fine(stand_in: StandIn) -> None:
    assert stand_in.orthanc.ask("PUT", "/modalities/ct", {"AET": "CT1"}) is None
    assert json.loads(stand_in.asked[0][3]) == {"AET": "CT1"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ('{"Message": "Bad file format", "Details": "No AET"}', "No AET"),
        ('{"Message": "Bad file format"}', "Bad file format"),
        ("<html>", "<html>"),
        ("[]", "[]"),
    ],
)
def test_a_refusal_says_what_orthanc_says(stand_in: StandIn, answer: str, said: str) -> None:
    stand_in.status, stand_in.answer = 400, answer
    with pytest.raises(RestError) as caught:
        stand_in.orthanc.ask("PUT", "/modalities/ct", {})
    assert str(caught.value) == f"PUT /modalities/ct: HTTP 400: {said}"
    assert "sesame" not in repr(stand_in.orthanc)


def test_what_is_no_json_is_said(stand_in: StandIn) -> None:
    stand_in.answer = "<html>"
    with pytest.raises(RestError, match=r"GET /modalities: the answer is not JSON: <html>"):
        stand_in.orthanc.ask("GET", "/modalities")


def test_nobody_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(RestError, match=r"GET /modalities: .*refused"):
        Orthanc("nginx", "sesame", tls=False, port=port).ask("GET", "/modalities")


def test_no_process_has_no_network() -> None:
    with pytest.raises(OSError, match="/proc/0/ns/net"):
        enter_network(0)
