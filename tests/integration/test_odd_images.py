# SPDX-License-Identifier: GPL-3.0-or-later
"""No image stops the archive: every file of pydicom and of pydicom-data is sent, looked at and converted."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import data_store
import pydicom.data
import pytest
import requests
from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom import AE, _config

from support.images import CALLED_AET, CALLING_AET
from support.rest import rest
from support.stack import Stack

FOLDERS = [Path(pydicom.data.__file__).parent / "test_files", Path(data_store.__file__).parent / "data"]
FILES = sorted(
    file
    for folder in FOLDERS
    for file in folder.rglob("*")
    if file.is_file() and file.suffix not in (".py", ".pyc", ".md")
)
WORKERS = 4
# PS3.5 section 10; with none, DICOMweb's default (PS3.18 section 8.7.3) is Explicit VR Little Endian.
CONVERTED = {
    "default": None,
    "explicit": "1.2.840.10008.1.2.1",
    "jpeg": "1.2.840.10008.1.2.4.50",
    "jpeg-ls": "1.2.840.10008.1.2.4.80",
    "jpeg2000": "1.2.840.10008.1.2.4.90",
    "rle": "1.2.840.10008.1.2.5",
    "any": "*",
}
# Answers of Orthanc to what it has no conversion for (docs/troubleshooting.md), and to a rendering of it.
NO_CONVERSION = {500, 501}


@pytest.fixture(scope="module")
def ask(stack: Stack) -> Callable[..., requests.Response]:
    sessions = threading.local()

    def request(method: str, path: str, **options: object) -> requests.Response:
        if not hasattr(sessions, "own"):
            sessions.own = rest(stack)
        return sessions.own.request(method, f"{stack.portal}{path}", timeout=60, **options)

    return request


@pytest.fixture(autouse=True)
def an_archive_without_them(ask: Callable[..., requests.Response], the_same_process: None) -> Iterator[None]:
    yield
    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(lambda uid: remove(ask, uid), same_instance()))


def same_instance() -> dict[str, list[Path]]:
    """The files by their SOP instance UID: some are one image in several transfer syntaxes."""
    groups = defaultdict(list)
    for file in FILES:
        uid = str(file)
        with suppress(Exception):  # whatever pydicom makes of these: not what is tested
            uid = str(dcmread(file, force=True, stop_before_pixels=True).SOPInstanceUID)
        groups[uid].append(file)
    return groups


def remove(ask: Callable[..., requests.Response], uid: str) -> None:
    for found in ask("POST", "/orthanc/tools/lookup", data=uid.encode()).json():
        ask("DELETE", f"/orthanc{found['Path']}")


def test_c_store(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)  # the file as it is, not as pydicom reads it
    tls = stack.client_tls()

    def send(file: Path) -> str:
        try:
            meta = dcmread(file, stop_before_pixels=True).file_meta
            sop_class, syntax = UID(meta.MediaStorageSOPClassUID), UID(meta.TransferSyntaxUID)
        except Exception:
            return "not a DICOM file"
        ae = AE(CALLING_AET)
        ae.dimse_timeout = 5  # of some truncated ones, Orthanc waits for the rest
        ae.add_requested_context(sop_class, syntax)
        association = ae.associate("localhost", stack.dicom_port, ae_title=CALLED_AET, tls_args=(tls, "localhost"))
        if association.is_rejected or not association.is_established:
            return "not accepted"  # what it is, in that transfer syntax
        try:
            answer = association.send_c_store(file)
            return f"{answer.Status:04X}" if "Status" in answer else "no answer"
        finally:
            association.release()

    with ThreadPoolExecutor(WORKERS) as workers:
        answers = Counter(workers.map(send, FILES))
    assert answers["0000"] >= 195, answers
    assert answers["no answer"] <= 6, answers


def test_stow_rs(ask: Callable[..., requests.Response]) -> None:
    def send(file: Path) -> int:
        body = b"--part\r\nContent-Type: application/dicom\r\n\r\n" + file.read_bytes() + b"\r\n--part--\r\n"
        form = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=part'}
        return ask("POST", "/dicom-web/studies", data=body, headers=form).status_code

    with ThreadPoolExecutor(WORKERS) as workers:
        answers = Counter(workers.map(send, FILES))
    assert answers[200] >= 200, answers
    assert max(answers) < 500, answers


def views(ask: Callable[..., requests.Response], file: Path) -> Iterator[tuple[str, int]]:
    """All that can be asked of one file, by name, and with which HTTP status it is answered."""
    answer = ask("POST", "/orthanc/instances", data=file.read_bytes())
    yield "POST", answer.status_code
    if answer.status_code != 200:
        return
    instance = answer.json()["ID"]
    assert answer.json()["Status"] == "Success", file
    yield "preview", ask("GET", f"/orthanc/instances/{instance}/preview").status_code
    tags = ask("GET", f"/orthanc/instances/{instance}/simplified-tags").json()
    study, series, sop = (tags[f"{level}InstanceUID"] for level in ("Study", "Series", "SOP"))
    path = f"/dicom-web/studies/{study}/series/{series}/instances/{sop}"
    for name in ("metadata", "rendered", "frames/1/rendered"):
        yield name, ask("GET", f"{path}/{name}").status_code
    for name, syntax in CONVERTED.items():
        wanted = f"; transfer-syntax={syntax}" if syntax else ""
        accept = {"Accept": f'multipart/related; type="application/dicom"{wanted}'}
        yield name, ask("GET", path, headers=accept).status_code
    frame = {"Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=*'}
    yield "frame", ask("GET", f"{path}/frames/1", headers=frame).status_code


def test_views(ask: Callable[..., requests.Response]) -> None:
    def look_at(one_by_one: tuple[str, list[Path]]) -> list[tuple[str, int, Path]]:
        uid, files = one_by_one
        seen = []
        for file in files:
            remove(ask, uid)
            seen += [(view, status, file) for view, status in views(ask, file)]
        return seen

    with ThreadPoolExecutor(WORKERS) as workers:
        seen = [each for group in workers.map(look_at, same_instance().items()) for each in group]
    answers = defaultdict(Counter)
    for view, status, _file in seen:
        answers[view][status] += 1

    # What is in the archive is found and can be fetched as it is, whatever it is.
    stored = answers["POST"][200]
    assert stored >= 210 and set(answers["POST"]) <= {200, 400, 404}, answers["POST"]
    assert answers["metadata"] == answers["any"] == {200: stored}, (answers["metadata"], answers["any"])
    # Only a conversion may fail, and few are those into what every client reads.
    failed = {(view, status) for view, status, _file in seen if status >= 500}
    assert {status for _view, status in failed} <= NO_CONVERSION, failed
    assert not {view for view, _status in failed} & {"POST", "preview", "metadata", "any", "frame"}, failed
    assert answers["explicit"][200] >= stored - 1 and answers["default"][200] >= stored - 1, answers
    assert answers["preview"][200] >= 136, answers["preview"]
    assert answers["rendered"][200] >= 136, answers["rendered"]

    # And searched for at all levels.
    for level in ("studies", "series", "instances"):
        found = ask("GET", f"/dicom-web/{level}?includefield=all&limit=100")
        assert found.status_code == 200 and found.json(), level
    for study in ask("GET", "/dicom-web/studies?limit=100").json():
        uid = study["0020000D"]["Value"][0]
        for level in ("series", "instances"):
            assert ask("GET", f"/dicom-web/studies/{uid}/{level}?includefield=all").status_code == 200, (uid, level)
