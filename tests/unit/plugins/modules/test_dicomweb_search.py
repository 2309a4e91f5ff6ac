# SPDX-License-Identifier: GPL-3.0-or-later
"""Against a small QIDO-RS server in this process, which matches as PS3.4 §C.2.2.2 says, or is told to misbehave."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.samples import (
    SAMPLES,
    new_study,
    samples,
    unusual_samples,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.web.search import Search, searches
from ansible_collections.cellcs.orthweb.plugins.modules import dicomweb_search
from pydicom import Dataset, dcmread

LEVELS = {"studies": "StudyInstanceUID", "series": "SeriesInstanceUID", "instances": "SOPInstanceUID"}
ANSWERED = {
    "studies": ["StudyInstanceUID", "PatientName", "PatientID", "StudyDate"],
    "series": ["SeriesInstanceUID", "Modality"],
    "instances": ["SOPInstanceUID", "Rows", "Columns"],
}
NOT_CRITERIA = {"limit", "offset", "fuzzymatching", "includefield"}


@dataclass
class Server:
    """What the server has, what it was asked, and how it misbehaves."""

    images: list[Dataset] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    decode: Callable[[str], str] = unquote
    ignored: str = ""  # a criterion
    case_sensitive: bool = False
    left_out: str = ""  # an attribute of the answers
    status: int = 200
    body: bytes | None = None
    url: str = ""

    def answer(self, path: str, query: str) -> list[dict]:
        parts = path.removeprefix("/dicom-web/").split("/")
        level = parts[-1]
        above = dict(zip(parts[0:-1:2], parts[1:-1:2], strict=True))
        pairs = [pair.partition("=") for pair in query.split("&") if pair]
        criteria = {keyword: self.decode(value) for keyword, _equals, value in pairs if keyword not in NOT_CRITERIA}
        criteria.pop(self.ignored, None)
        criteria.update({LEVELS[name]: uid for name, uid in above.items()})
        matching = [image for image in self.images if all(self.matches(image, *each) for each in criteria.items())]
        keywords = [keyword for keyword in ANSWERED[level] if keyword != self.left_out]
        return [
            dict_of(image, keywords) for image in {image[LEVELS[level]].value: image for image in matching}.values()
        ]

    def matches(self, image: Dataset, keyword: str, value: str) -> bool:
        if keyword == "ModalitiesInStudy":
            of_study = [each.get("Modality") for each in self.images if each.StudyInstanceUID == image.StudyInstanceUID]
            return any(modality in of_study for modality in value.split(","))
        has = str(image.get(keyword) or "")
        if keyword == "StudyDate" and "-" in value:
            first, _to, last = value.partition("-")
            return bool(has) and first <= has <= (last or "99991231")
        pattern = ".*".join(re.escape(part) for part in value.split("*"))
        flags = 0 if self.case_sensitive else re.IGNORECASE
        groups = [has, *has.split("=")] if keyword == "PatientName" else [has]
        return any(re.fullmatch(pattern, group, flags) for group in groups)


def dict_of(image: Dataset, keywords: list[str]) -> dict:
    answer = Dataset()
    for keyword in keywords:
        setattr(answer, keyword, image.get(keyword, ""))
    return answer.to_json_dict()


@pytest.fixture
def server(images: list[Dataset]) -> Iterator[Server]:
    state = Server(images=list(images))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # the body would wait for the headers' delayed acknowledgement

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            state.asked.append(self.path)
            body = state.body
            if body is None:
                body = json.dumps(state.answer(parts.path, parts.query)).encode()
            self.send_response(state.status)
            self.send_header("Content-Type", "application/dicom+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_unused: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://localhost:{http.server_address[1]}/dicom-web"
    threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True).start()
    yield state
    http.shutdown()
    http.server_close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search")
    for sample in samples(folder, new_study(None, "ID-1", "Müller Abnahme^Jörg"), [*SAMPLES], 2):
        sample.write()
    for sample in unusual_samples(folder, "ID-1", "Müller Abnahme^Jörg"):
        sample.write()
    return folder


@pytest.fixture(scope="module")
def images(folder: Path) -> list[Dataset]:
    return [dcmread(path, stop_before_pixels=True) for path in sorted(folder.glob("*.dcm"))]


def failed(ran) -> set[str]:
    return {search["about"] for search in ran.result["failed_searches"]}


def test_all_is_found(run_module, server, folder):
    ran = run_module(dicomweb_search, {"url": server.url, "paths": [str(folder)]})
    assert not ran.failed, ran.result["msg"]
    assert (ran.result["changed"], ran.result["failure"], failed(ran)) == (False, None, set())
    assert ran.result["msg"].endswith(f"answers all {ran.result['count']} searches as it should.")
    assert len(server.asked) == ran.result["count"] > 60


def test_it_asks_as_browsers_encode(run_module, server, folder):
    run_module(dicomweb_search, {"url": server.url, "paths": [str(folder / "ct-000001.dcm")]})
    asked = {path.partition("?")[2].removesuffix("&PatientID=ID-1") for path in server.asked}
    for query in (
        "PatientName=M%C3%BCller%20Abnahme%5EJ%C3%B6rg",
        "PatientName=M%C3%BCller%20Abnahme%2A",
        "PatientName=%2A%5EJ%C3%B6rg&limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060",
        "PatientName=%2AM%C3%9CLLER%20ABNAHME%2A&limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060",
    ):
        assert query in asked, asked


def test_names_of_all_groups_are_searched_for(images):
    """And nothing is asked by a name or a date that a study does not have."""
    asked = {
        (dict(each.criteria).get("PatientName"), dict(each.criteria).get("PatientID")) for each in searches(images)
    }
    names = {name for name, _patient in asked}
    assert {"*山田*", "*やまだ*", "*王*", "*YAMADA*", "Wang*"} <= names
    assert {name for name, patient in asked if patient == "ID-1-NO-PATIENT-NAME"} == {None}
    dates = [
        dict(each.criteria).get("StudyDate")
        for each in searches(images)
        if ("PatientID", "ID-1-NO-STUDY-DATE") in each.criteria
    ]
    assert set(dates) == {None, "19990101-19991231"}


def test_ss_in_upper_case_is_not_asked_for(images):
    """ß in upper case is two letters, which no archive matches."""
    image = Dataset()
    image.update(images[0])
    image.PatientName = "Groß"
    assert "*GROß*" in {dict(each.criteria).get("PatientName") for each in searches([image])}


def test_fail_on_never(run_module, server, folder):
    server.images.clear()
    ran = run_module(dicomweb_search, {"url": server.url, "paths": [str(folder)], "fail_on": "never"})
    assert not ran.failed
    assert ran.result["failure"] == "not_found"
    assert re.search(r"and \d+ more$", ran.result["msg"])


def test_an_archive_that_does_not_decode(run_module, server, folder):
    """As Orthanc 1.12.7."""
    server.decode = lambda value: value
    ran = run_module(dicomweb_search, {"url": server.url, "paths": [str(folder)]})
    assert ran.failed
    assert ran.result["failure"] == "not_found"
    assert (
        "patient's name, whole (studies?PatientName=M%C3%BCller%20Abnahme%5EJ%C3%B6rg&PatientID=ID-1)"
        in ran.result["msg"]
    )
    assert "patient ID" not in failed(ran), "nothing to encode"


@pytest.mark.parametrize(
    ("ignored", "about"),
    [
        ("PatientName", {"another patient's name"}),
        ("StudyDate", {"study date within another year"}),
        ("ModalitiesInStudy", {f"modality {other}, which is not in it" for other in ("CT", "MR", "XA")}),
        (
            "Modality",
            {"series of modality CT", "series of modality MR", "series of modality US", "series of modality XA"},
        ),
        ("PatientID", {"another patient ID"}),
    ],
)
def test_an_archive_that_ignores_a_criterion(run_module, server, folder, ignored, about):
    server.ignored = ignored
    ran = run_module(dicomweb_search, {"url": server.url, "paths": [str(folder)]})
    assert ran.failed
    assert ran.result["failure"] == "not_asked_for"
    assert about == failed(ran)


def test_an_archive_that_minds_upper_and_lower_case(run_module, server, folder):
    server.case_sensitive = True
    ran = run_module(dicomweb_search, {"url": server.url, "paths": [str(folder)]})
    assert ran.failed
    assert failed(ran) == {
        "patient's name, family name within * in lower case",
        "patient's name, family name within * in upper case",
    }


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ("Rows", "Rows is '128' in the file, and 'missing' in the answer"),
        ("PatientName", "PatientName is 'Müller Abnahme^Jörg' in the file, and 'missing' in the answer"),
    ],
)
def test_an_attribute_that_is_missing(run_module, server, folder, left_out, said):
    server.left_out = left_out
    ran = run_module(dicomweb_search, {"url": server.url, "paths": [str(folder)]})
    assert ran.failed
    assert ran.result["failure"] == "different"
    assert said in ran.result["msg"]


def test_a_study_that_is_missing(run_module, server, folder):
    server.images = [image for image in server.images if "Modality" in image]
    ran = run_module(dicomweb_search, {"url": server.url, "paths": [str(folder)]})
    assert ran.failed
    assert "1 of 1 StudyInstanceUID not found among 0" in ran.result["msg"]
    assert "PatientID=ID-1-NO-MODALITY" in ran.result["msg"]


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (400, b"no", "http_status"),
        (401, b"", "not_authenticated"),
        (403, b"", "forbidden"),
        (404, b"", "not_dicomweb"),
        (200, b"<html>", "not_dicomweb"),
        (200, b'{"a": 1}', "answer_not_decoded"),
        (200, b'[{"00100010": {"vr": "PN"}}]', "answer_not_decoded"),
        (204, b"", "not_found"),
    ],
)
def test_other_answers(run_module, server, folder, status, body, failure):
    server.status, server.body = status, body
    ran = run_module(dicomweb_search, {"url": server.url, "paths": [str(folder / "ct-000001.dcm")]})
    assert ran.failed
    assert ran.result["failure"] == failure, ran.result["msg"]


def test_the_module_names_all_problems_at_once(run_module, tmp_path):
    ran = run_module(dicomweb_search, {"url": "archive", "username": "a", "paths": [str(tmp_path / "none")]})
    assert ran.failed
    assert [problem.split(":")[0] for problem in ran.result["problems"]] == ["url", "username, password", "paths"]


def test_a_folder_without_images(run_module, tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    ran = run_module(dicomweb_search, {"url": "http://archive", "paths": [str(tmp_path)]})
    assert "there is no DICOM file to search for" in ran.result["msg"]


def test_nothing_is_added_where_there_is_nothing_to_ask():
    assert Search("all", "study", "studies", ()).query == "studies"
