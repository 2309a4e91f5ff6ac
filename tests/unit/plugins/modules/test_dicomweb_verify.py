# SPDX-License-Identifier: GPL-3.0-or-later
"""Against a small DICOMweb server in this process, which can be told to misbehave."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pydicom
import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.samples import (
    SAMPLES,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.store.paths import collect
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.web.archive import Archive
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.web.options import archive_problems
from ansible_collections.cellcs.orthweb.plugins.modules import dicomweb_verify

from support.authority import DAY
from support.peers import server_context
from support.samples import write_samples


@dataclass
class DicomWebServer:
    """What the server has, and how it misbehaves."""

    instances: dict[str, bytes] = field(default_factory=dict)
    credentials: str | None = None
    status: dict[str, int] = field(default_factory=dict)  # by service: "qido", "wado"
    bodies: dict[str, bytes] = field(default_factory=dict)
    delay: float = 0.0
    hosts: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    url: str = ""


def handler_of(state: DicomWebServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            time.sleep(state.delay)
            parts = urlsplit(self.path)
            service = "wado" if parts.path.rpartition("/")[2] != "instances" else "qido"
            state.hosts.add(self.headers["Host"])
            given = self.headers.get("Authorization", "").removeprefix("Basic ")
            if state.credentials and base64.b64decode(given).decode() != state.credentials:
                return self.answer(401, b"who are you")
            if service in state.status:
                return self.answer(state.status[service], b"no")
            if service in state.bodies:
                return self.answer(200, state.bodies[service])
            if not parts.path.startswith("/dicom-web/studies/"):
                return self.answer(404, b"no such page")
            return self.qido(parse_qs(parts.query)) if service == "qido" else self.wado(parts.path)

        def qido(self, query: dict[str, list[str]]) -> None:
            uid = query["SOPInstanceUID"][0]
            if uid not in state.instances:
                return self.answer(204, b"")
            found = [{"00080018": {"vr": "UI", "Value": [uid]}}]
            return self.answer(200, json.dumps(found).encode(), "application/dicom+json")

        def wado(self, path: str) -> None:
            state.accepted.add(self.headers["Accept"])
            uid = path.rpartition("/")[2]
            if uid not in state.instances:
                return self.answer(404, b"no such instance")
            body = b"--edge\r\nContent-Type: application/dicom\r\n\r\n" + state.instances[uid] + b"\r\n--edge--"
            return self.answer(200, body, 'multipart/related; type="application/dicom"; boundary=edge')

        def answer(self, status: int, body: bytes, kind: str = "text/html") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_unused: object) -> None:
            pass

    return Handler


@pytest.fixture
def serve() -> Iterator:
    """Start a server: ``serve(tls=context)``."""
    servers = []

    def start(tls=None) -> DicomWebServer:
        state = DicomWebServer()
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(state))
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        state.url = f"http{'s' if tls else ''}://localhost:{server.server_address[1]}/dicom-web"
        server.handle_error = lambda *_unused: None  # type: ignore[method-assign]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return state

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    return write_samples(folder, *SAMPLES)


@pytest.fixture
def server(serve, study) -> DicomWebServer:
    state = serve()
    fill(state, study)
    return state


def fill(state: DicomWebServer, study: Path) -> None:
    state.instances = {each.sop_instance_uid: each.path.read_bytes() for each in collect([str(study)]).instances}


def change(state: DicomWebServer, study: Path, stem: str, change) -> None:
    """Change one instance in the server."""
    image = pydicom.dcmread(study / f"{stem}.dcm")
    change(image)
    buffer = BytesIO()
    image.save_as(buffer)
    state.instances[image.SOPInstanceUID] = buffer.getvalue()


def test_all_come_back(run_module, server, study):
    ran = run_module(dicomweb_verify, {"url": server.url, "paths": [str(study)]})
    assert not ran.failed, ran.result["msg"]
    assert ran.result["changed"] is False
    assert ran.result["failure"] is None
    assert len(ran.result["instances"]) == 5
    for instance in ran.result["instances"]:
        assert instance["found"] and instance["retrieved"] and instance["pixel_data_identical"] and instance["verified"]
    assert {instance["transfer_syntax_uid"] for instance in ran.result["instances"]} == {
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2.4.50",
        "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.5",
    }
    assert server.accepted == {'multipart/related; type="application/dicom"; transfer-syntax=*'}
    assert server.hosts == {urlsplit(server.url).netloc}


def test_check_mode_reads_just_the_same(run_module, server, study):
    ran = run_module(dicomweb_verify, {"url": server.url, "paths": [str(study / "ct.dcm")]}, check_mode=True)
    assert ran.result["instances"][0]["verified"] is True


def test_what_is_not_found(run_module, server, study):
    server.instances.popitem()
    ran = run_module(dicomweb_verify, {"url": server.url, "paths": [str(study)]})
    assert ran.failed
    assert "does not return 1 of 5" in ran.result["msg"]
    assert "QIDO-RS: the archive does not find it" in ran.result["msg"]
    assert ran.result["failure"] == "not_found"
    assert [instance["failure"] for instance in ran.result["instances"]].count("not_found") == 1
    assert [instance["found"] for instance in ran.result["instances"]].count(False) == 1


def test_fail_on_never(run_module, server, study):
    server.instances.clear()
    ran = run_module(dicomweb_verify, {"url": server.url, "paths": [str(study)], "fail_on": "never"})
    assert not ran.failed
    assert not any(instance["verified"] for instance in ran.result["instances"])
    assert "and 2 more" in ran.result["msg"]
    assert ran.result["failure"] == "not_found"


@pytest.mark.parametrize(
    ("stem", "alter", "said"),
    [
        ("ct", lambda image: setattr(image, "PixelData", b"\1" + image.PixelData[1:]), "PixelData is not the same"),
        ("rle", lambda image: delattr(image, "PixelData"), "0 back"),
        ("mr", lambda image: setattr(image, "Rows", 32), "rows was 64, came back as 32"),
        ("ultrasound", lambda image: setattr(image, "NumberOfFrames", 2), "frames was 30, came back as 2"),
        ("rle", lambda image: image.decompress(generate_instance_uid=False), "transfer syntax was 1.2.840.10008.1.2.5"),
    ],
)
def test_what_differs(run_module, server, study, stem, alter, said):
    change(server, study, stem, alter)
    ran = run_module(dicomweb_verify, {"url": server.url, "paths": [str(study)]})
    assert ran.failed
    assert "does not return 1 of 5" in ran.result["msg"]
    assert "comparison: " in ran.result["msg"]
    assert ran.result["failure"] == "different"
    assert said in ran.result["msg"]


def test_an_instance_that_cannot_be_retrieved(run_module, server, study):
    server.status["wado"] = 500
    ran = run_module(dicomweb_verify, {"url": server.url, "paths": [str(study / "ct.dcm")]})
    assert ran.failed
    assert "WADO-RS: the archive answered HTTP 500" in ran.result["msg"]
    assert ran.result["failure"] == ran.result["instances"][0]["failure"] == "http_status"
    assert ran.result["instances"][0]["found"] is True
    assert ran.result["instances"][0]["retrieved"] is False


@pytest.mark.parametrize("body", [b"", b"<html>", bytes(200)])
def test_an_instance_that_is_rubbish(run_module, server, study, body):
    server.bodies["wado"] = body
    ran = run_module(dicomweb_verify, {"url": server.url, "paths": [str(study / "ct.dcm")]})
    assert ran.failed
    assert "WADO-RS: the answer cannot be decoded" in ran.result["msg"]
    assert ran.result["failure"] == "answer_not_decoded"


@pytest.mark.parametrize("body", [b'["a"]', b'[{"x": 1}]', b"3"])
def test_an_index_that_is_rubbish(run_module, server, study, body):
    server.bodies["qido"] = body
    ran = run_module(dicomweb_verify, {"url": server.url, "paths": [str(study / "ct.dcm")]})
    assert ran.failed
    assert "QIDO-RS: " in ran.result["msg"]
    assert ran.result["failure"] == "answer_not_decoded"


def test_an_index_that_ignores_the_question(run_module, server, study):
    server.bodies["qido"] = json.dumps([{"00080018": {"vr": "UI", "Value": ["1.2.3"]}}]).encode()
    ran = run_module(dicomweb_verify, {"url": server.url, "paths": [str(study / "ct.dcm")]})
    assert ran.failed
    assert "does not find it" in ran.result["msg"]


# The archive itself


def test_credentials(run_module, server, study):
    server.credentials = "acceptance:a-secret-phrase"
    options = {"url": server.url, "paths": [str(study / "ct.dcm")]}
    without = run_module(dicomweb_verify, options)
    wrong = run_module(dicomweb_verify, {**options, "username": "acceptance", "password": "a-wrong-phrase"})
    right = run_module(dicomweb_verify, {**options, "username": "acceptance", "password": "a-secret-phrase"})
    assert "HTTP 401" in without.result["msg"]
    assert "rejects the user acceptance (HTTP" in wrong.result["msg"]
    assert without.result["failure"] == wrong.result["failure"] == "not_authenticated"
    assert "a-wrong-phrase" not in str(wrong.result)
    assert not right.failed


@pytest.mark.parametrize(
    ("status", "said", "failure"),
    [
        (403, "forbids QIDO-RS", "forbidden"),
        (404, "Check that this is the DICOMweb root", "not_dicomweb"),
        (503, "QIDO-RS: the archive answered", "http_status"),
    ],
)
def test_statuses(run_module, server, study, status, said, failure):
    server.status["qido"] = status
    ran = run_module(dicomweb_verify, {"url": server.url, "paths": [str(study / "ct.dcm")]})
    assert ran.failed
    assert said in ran.result["msg"]
    assert f"HTTP {status}" in ran.result["msg"]
    assert ran.result["failure"] == failure


def test_a_login_page_instead_of_an_answer(run_module, server, study):
    server.bodies["qido"] = b"<html>Please sign in</html>"
    ran = run_module(dicomweb_verify, {"url": server.url, "paths": [str(study / "ct.dcm")]})
    assert "something other than DICOM JSON" in ran.result["msg"]
    assert ran.result["failure"] == "not_dicomweb"


def test_nobody_there(run_module, study):
    ran = run_module(dicomweb_verify, {"url": "http://127.0.0.1:1/dicom-web", "paths": [str(study / "ct.dcm")]})
    assert ran.failed
    assert "cannot be reached" in ran.result["msg"]
    assert "Connection refused" in ran.result["msg"]
    assert ran.result["failure"] == "unreachable"


def test_too_slow(run_module, server, study):
    server.delay = 1
    ran = run_module(dicomweb_verify, {"url": server.url, "paths": [str(study / "ct.dcm")], "timeout_seconds": 0.2})
    assert ran.failed
    assert "within 0.2 s" in ran.result["msg"]
    assert ran.result["failure"] == "timeout"


def test_over_tls(run_module, serve, study, authority, stranger, monkeypatch):
    state = serve(server_context(authority, authority.issue_to("web")))
    fill(state, study)
    options = {"url": state.url, "paths": [str(study / "ct.dcm")]}
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(stranger.file))  # must not get in the way
    trusted = run_module(dicomweb_verify, {**options, "ca_file": str(authority.file)})
    unknown = run_module(dicomweb_verify, {**options, "ca_file": str(stranger.file)})
    unverified = run_module(dicomweb_verify, {**options, "verify": False})
    assert not trusted.failed, trusted.result["msg"]
    assert unknown.failed
    assert "certificate" in unknown.result["msg"] and "is not accepted" in unknown.result["msg"]
    assert unknown.result["failure"] == "certificate_not_accepted"
    assert not unverified.failed


def test_over_tls_with_an_expired_certificate(run_module, serve, study, authority):
    state = serve(server_context(authority, authority.issue_to("old-web", ends=-DAY)))
    ran = run_module(
        dicomweb_verify, {"url": state.url, "paths": [str(study / "ct.dcm")], "ca_file": str(authority.file)}
    )
    assert "certificate has expired" in ran.result["msg"]


@pytest.mark.parametrize(
    ("archive", "problem"),
    [
        (Archive("archive/dicom-web"), "url: "),
        (Archive("ftp://archive"), "url: "),
        (Archive("http://archive:port"), "url: "),
        (Archive("http://"), "url: "),
        (Archive("http://user:secret@archive"), "url: contains credentials"),
        (Archive("http://archive?a=b"), "url: has a query"),
        (Archive("https://archive", username="a"), "username, password: "),
        (Archive("https://archive", timeout=0), "timeout_seconds: "),
    ],
)
def test_archives_that_cannot_be_asked(archive, problem):
    assert [each[: len(problem)] for each in archive_problems(archive, None)] == [problem]


def test_the_module_names_all_problems_at_once(run_module, tmp_path):
    ran = run_module(
        dicomweb_verify,
        {"url": "archive", "username": "a", "ca_file": "/nowhere", "paths": [str(tmp_path / "none")]},
    )
    assert ran.failed
    assert [problem.split(":")[0] for problem in ran.result["problems"]] == [
        "url",
        "username, password",
        "ca_file",
        "paths",
    ]
