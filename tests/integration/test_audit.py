# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit trail of a real stack: an event for each door, none is lost, and none says what it should not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from ansible_collections.cellcs.orthweb.plugins.module_utils.audit.trail import Query, read
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from support.audit import Event, awaited, now, trail_of
from support.authority import Authority
from support.checkout import ROOT
from support.collector import Collector
from support.login import anonymous, log_in, submit
from support.rest import orthanc_path, remove, rest
from support.stack import Stack, docker

SURNAME, PATIENT_ID = "Geheimrat", "PID-4711-SECRET"


def image(study: str) -> Dataset:
    made = Dataset()
    made.PatientName, made.PatientID, made.Modality = f"{SURNAME}^Otto", PATIENT_ID, "OT"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID = study, f"{study}.1", generate_uid()
    made.SOPClassUID = SecondaryCaptureImageStorage
    made.ensure_file_meta()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def file_of(made: Dataset, folder: Path) -> bytes:
    path = folder / "image.dcm"
    made.save_as(path, enforce_file_format=True)
    return path.read_bytes()


@pytest.fixture(scope="module")
def study(stack: Stack) -> Iterator[str]:
    """One that came over DICOM, and was asked for and sent over DICOM."""
    uid = str(generate_uid())
    find, get, move = (
        StudyRootQueryRetrieveInformationModelFind,
        StudyRootQueryRetrieveInformationModelGet,
        StudyRootQueryRetrieveInformationModelMove,
    )
    entity = AE("WORKSTATION")
    for context in (find, get, move, SecondaryCaptureImageStorage):
        entity.add_requested_context(context)
    association = entity.associate(
        "localhost",
        stack.dicom_port,
        ae_title="ORTHANC",
        ext_neg=[build_role(SecondaryCaptureImageStorage, scu_role=True, scp_role=True)],
        tls_args=(stack.client_tls(), "localhost"),
        evt_handlers=[(evt.EVT_C_STORE, lambda _event: 0)],
    )
    assert association.is_established
    for _copy in range(3):
        assert association.send_c_store(image(uid)).Status == 0
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", uid
    assert [answer.Status for answer, _found in association.send_c_get(identifier, get)][-1] == 0
    assert list(association.send_c_move(identifier, "NOWHERE", move))[-1][0].Status != 0
    identifier.PatientName = f"{SURNAME}*"
    assert [answer.Status for answer, _found in association.send_c_find(identifier, find)] == [0xFF00, 0]
    association.release()
    yield uid
    remove(stack, uid)


class TestDoors:
    @pytest.mark.parametrize(
        ("action", "outcome", "instances"),
        [("stored", "success", 3), ("searched", "success", 1), ("retrieved", "success", 3), ("exported", "failure", 0)],
    )
    def test_dicom(self, stack: Stack, study: str, action: str, outcome: str, instances: int) -> None:
        def wanted(event: Event) -> bool:
            return (event["action"], event.get("instances"), event["certificate"]) == (action, instances, "workstation")

        event = awaited(stack, wanted, study=study)
        assert (event["door"], event["aet"], event["outcome"]) == ("DICOM", "WORKSTATION", outcome)
        assert event["address"]

    def test_an_association_that_is_rejected(self, stack: Stack, study: str) -> None:
        entity = AE("SPOOFED")
        entity.add_requested_context(SecondaryCaptureImageStorage)
        refused = entity.associate(
            "localhost", stack.dicom_port, ae_title="ORTHANC", tls_args=(stack.client_tls(), "localhost")
        )
        assert refused.is_rejected
        event = awaited(stack, lambda event: event["aet"] == "SPOOFED")
        assert (event["outcome"], event["certificate"]) == ("failure", "workstation")
        assert "not a calling AE title of workstation" in event["refused"]

    @pytest.mark.parametrize(
        ("door", "path"),
        [
            ("DICOMweb", "/dicom-web/studies/{study}/metadata"),
            ("WADO-URI", "/wado?requestType=WADO&studyUID={study}&seriesUID={study}.1&objectUID=1.2.3"),
            ("REST", "/orthanc{resource}/instances"),
            ("portal", "/viewer?StudyInstanceUIDs={study}"),
        ],
    )
    def test_the_portal(self, stack: Stack, study: str, door: str, path: str) -> None:
        asked = path.format(study=study, resource=orthanc_path(stack, study))
        since = now()
        log_in(stack, stack.login_of("rita")).get(f"{stack.portal}{asked}", timeout=30)
        event = awaited(stack, lambda event: event["door"] == door, study=study, account="rita", since=since)
        assert (event["action"], event["role"], event["port"]) == ("accessed", "reader", stack.portal_port)

    def test_orthancs_own_port(self, stack: Stack, study: str) -> None:
        path = orthanc_path(stack, study)
        rest(stack).get(f"{stack.orthanc}{path}", timeout=30).raise_for_status()
        event = awaited(stack, lambda event: event.get("port") == stack.orthanc_port, study=study)
        assert (event["door"], event["account"], event["action"]) == ("REST", "admin", "accessed")

    def test_an_upload_and_its_removal(self, stack: Stack, tmp_path: Path) -> None:
        uid = str(generate_uid())
        somebody = log_in(stack, stack.login_of("ulf"))
        sent = somebody.post(f"{stack.portal}/orthanc/instances", data=file_of(image(uid), tmp_path), timeout=30)
        assert sent.status_code == 200
        awaited(stack, lambda event: event["action"] == "stored", study=uid, account="ulf")
        remove(stack, uid)
        event = awaited(stack, lambda event: event["action"] == "deleted", study=uid, account="admin")
        assert event["method"] == "DELETE"

    def test_a_search_says_nothing_of_what_was_searched_for(self, stack: Stack, study: str) -> None:
        asked = f"{stack.portal}/dicom-web/studies?PatientName={SURNAME}*&PatientID={PATIENT_ID}"
        assert log_in(stack, stack.login_of("lena")).get(asked, timeout=30).json()
        event = awaited(stack, lambda event: event["action"] == "searched", account="lena")
        assert (event["door"], event["path"]) == ("DICOMweb", "/dicom-web/studies")

    def test_what_a_role_may_not_do(self, stack: Stack, study: str) -> None:
        path = orthanc_path(stack, study)
        for _colleague in range(25):  # who opens the login page is not refused, and does not hide who is
            anonymous(stack).get(f"{stack.portal}/auth/", headers={"Accept": "application/json"}, timeout=30)
        refused = log_in(stack, stack.login_of("rita")).delete(f"{stack.portal}/orthanc{path}", timeout=30)
        assert refused.status_code == 403
        event = awaited(stack, lambda event: event["action"] == "deleted", study=study, account="rita")
        assert (event["outcome"], event["refused"]) == ("failure", "role")

    def test_a_share_link(self, stack: Stack, study: str) -> None:
        """Who shared the study, and what became of the link."""
        since = now()
        rosa, guest = log_in(stack, stack.login_of("rosa")), anonymous(stack)
        links = f"{stack.portal}/archive/shares"
        made = rosa.post(links, json={"study": study, "pin": "4711"}, timeout=30).json()

        def submitted(**more: str) -> int:
            body = {"token": made["link"].partition("#")[2], **more}
            return guest.post(f"{stack.portal}/share/open", json=body, timeout=30).status_code

        assert [submitted(), submitted(pin="0815"), submitted(pin="4711")] == [401, 401, 200]
        assert guest.get(f"{stack.portal}/dicom-web/studies/{study}/metadata", timeout=30).status_code == 200
        assert rosa.delete(f"{links}/{made['id']}", timeout=30).status_code == 200
        assert submitted(pin="4711") == 410
        share = f"share:{made['id']}"
        awaited(stack, lambda event: event["action"] == "share revoked", study=study, account=share)
        written = [
            (event["action"], event["account"], event["outcome"], event["reason"])
            for event in read(trail_of(stack), Query(study=study, account=share))
            if event["door"] == "portal"
        ]
        refused = [event for event in written if event[-1] in ("pin", "ended")]  # counted with others of this address
        assert [event for event in written if event not in refused] == [
            ("share made", "rosa", "success", ""),
            ("share opened", share, "failure", "wrong pin"),
            ("share opened", share, "success", ""),
            ("share revoked", "rosa", "success", ""),
        ]
        assert {event[:3] for event in refused} <= {("share opened", share, "failure")}
        assert read(trail_of(stack), Query(account="deployment", since=since)) == [], (
            "nginx's own questions are no events"
        )
        access = awaited(stack, lambda event: event["door"] == "DICOMweb", study=study, account=share)
        assert (access["action"], access["role"]) == ("accessed", "share")


class TestLogins:
    def test_in_and_out(self, stack: Stack) -> None:
        since = now()
        somebody = log_in(stack, stack.login_of("leo"))
        assert (
            awaited(stack, lambda event: event["action"] == "login", account="leo", since=since)["outcome"] == "success"
        )
        somebody.get(f"{stack.portal}/auth/logout", timeout=30)
        awaited(stack, lambda event: event["action"] == "logout", account="leo", since=since)

    def test_a_wrong_password(self, stack: Stack) -> None:
        since = now()
        submit(anonymous(stack), stack, ("leo", "not this one"))
        event = awaited(stack, lambda event: event["outcome"] == "failure", account="leo", since=since)
        assert (event["door"], event["action"], event["reason"]) == ("login", "login", "badcredentials")

    def test_a_name_that_nobody_has_may_be_a_password(self, stack: Stack) -> None:
        since, typed = now(), "Sommer2026geheim"
        submit(anonymous(stack), stack, (typed, "leo"))
        awaited(stack, lambda event: event["door"] == "login" and not event["account"], since=since)
        assert typed not in everything(stack)


@pytest.fixture
def few_refusals(stack: Stack) -> None:
    """Each of the next ones is written: others may have been refused from this address in this minute."""
    minute = now()[:16]
    if any(int(event.get("refusals", 0)) > 16 for event in read(trail_of(stack), Query(since=minute))):
        time.sleep(61 - time.time() % 60)


def everything(stack: Stack) -> str:
    """All logs, and the trail."""
    names = docker("ps", "--all", "--format", "{{.Names}}", "--filter", f"label=orthweb.stack={stack.name}").split()
    logs = [subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=False) for name in names]
    files = [path.read_text(errors="replace") for path in trail_of(stack).rglob("*.jsonl")]
    assert len(names) >= 4 and any(files)
    return "".join([log.stdout + log.stderr for log in logs] + files)


def test_no_patient_is_named_even_while_orthanc_is_away(stack: Stack, study: str) -> None:
    somebody = log_in(stack, stack.login_of("rita"))
    since = now() + "Z"
    docker("stop", stack.container("orthanc"))
    try:
        for query in (
            f"PatientName={SURNAME}*",
            f"PatientName=%22{SURNAME}%22&x=, request: ",
            f"PatientID={PATIENT_ID}",
        ):
            away = somebody.get(f"{stack.portal}/dicom-web/studies?{query}", timeout=30)
            assert away.status_code == 502, away.text
    finally:
        docker("start", stack.container("orthanc"))
    nginx = ["docker", "logs", "--since", since, stack.container("nginx")]
    complaints = subprocess.run(nginx, capture_output=True, text=True, check=True).stderr
    assert "[error]" in complaints and "upstream" in complaints
    said = everything(stack)
    assert SURNAME not in said and PATIENT_ID not in said
    end = time.monotonic() + 60
    while somebody.get(f"{stack.portal}/orthanc/system", timeout=30).status_code != 200:
        assert time.monotonic() < end
        time.sleep(1)


def test_nothing_is_lost_while_it_is_away_or_killed(stack: Stack) -> None:
    somebody = log_in(stack, stack.login_of("lars"))
    marks = [f"1.2.3.{time.time_ns()}.{number}" for number in range(3)]

    def look(mark: str) -> None:
        somebody.get(f"{stack.portal}/dicom-web/studies/{mark}/metadata", timeout=30)

    look(marks[0])
    docker("kill", stack.container("audit"))
    look(marks[1])
    assert all(event["studies"] != [marks[1]] for event in read(trail_of(stack), Query()))
    docker("start", stack.container("audit"))
    look(marks[2])
    for mark in marks:
        awaited(stack, lambda event: True, study=mark, account="lars")


@pytest.mark.parametrize(
    "odd",
    ['"},{"account":"admin', "%22%7d%0a%7b%22account%22:%22admin", "\\", "%1b[2J", "ü€\u202e", "%ff%fe", "a" * 5000],
)
def test_nothing_that_is_sent_becomes_another_event(stack: Stack, few_refusals: None, odd: str) -> None:
    since, mark = now(), f"mark{time.time_ns()}"
    raw = requests.Request("GET", stack.portal).prepare()
    raw.url = f"{stack.portal}/dicom-web/studies/{mark}{odd}"
    somebody = log_in(stack, stack.login_of("rita"))
    raw.prepare_cookies(somebody.cookies)
    assert somebody.send(raw, verify=stack.ca, timeout=30).status_code in (400, 404)
    event = awaited(stack, lambda event: mark in str(event.get("path")), since=since)
    assert event["account"] in ("rita", "") and event["outcome"] == "failure"
    assert len(json.dumps(event)) < 6000
    written = "".join(path.read_text() for path in trail_of(stack).rglob("*.jsonl"))
    assert mark in written and "unreadable" not in written


def test_an_account_name_that_is_json(stack: Stack, few_refusals: None) -> None:
    since = now()
    name = 'x","outcome":"success","account":"admin'
    assert anonymous(stack).get(f"{stack.portal}/dicom-web/studies", auth=(name, "x"), timeout=30).status_code == 401
    awaited(
        stack, lambda event: event["outcome"] == "failure" and event.get("path") == "/dicom-web/studies", since=since
    )
    assert read(trail_of(stack), Query(since=since, account="admin")) == []


def test_a_flood_of_refusals_is_counted(stack: Stack) -> None:
    since = now()
    stranger = anonymous(stack)
    for _request in range(300):
        assert stranger.get(f"{stack.portal}/dicom-web/instances", timeout=30).status_code == 401
    event = awaited(stack, lambda event: int(event.get("refusals", 0)) >= 128, since=since)
    assert event["path"] == "/dicom-web/instances"
    lines = [
        event for event in read(trail_of(stack), Query(since=since)) if event.get("path") == "/dicom-web/instances"
    ]
    assert 4 <= len(lines) <= 60, len(lines)


@pytest.mark.parametrize("kind", ["table", "csv", "json", "dicom"])
def test_make_audit(stack: Stack, study: str, kind: str) -> None:
    awaited(stack, lambda event: event["action"] == "retrieved", study=study)
    about = ["--account", "WORKSTATION"] if kind == "json" else ["--study", study]
    asked = [*about, "--format", kind, "--since", now()[:10], "--extra-vars", f"orthweb_stack={stack.name}"]
    command = [sys.executable, "-m", "tools.audit", *asked]
    surroundings = {**os.environ, **stack.environment}
    run = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=True)
    assert study in run.stdout and "WORKSTATION" in run.stdout
    assert len(run.stdout.splitlines()) >= 4


def test_what_deployments_change_is_there(stack: Stack) -> None:
    event = awaited(stack, lambda event: event["action"] == "accounts changed" and "set rita" in event["changes"])
    assert event["door"] == "deployment" and event["account"]
    awaited(stack, lambda event: event["action"] == "modalities changed")


def test_there_is_room(stack: Stack) -> None:
    status = json.loads(docker("exec", stack.container("audit"), "audit", "status"))
    assert status["trail_bytes"] > 1000 and status["free_bytes"] > 0 and status["queued_bytes"] == 0
    [made, *_more] = trail_of(stack).glob("nginx/*.jsonl")
    assert made.stat().st_blocks * 512 - made.stat().st_size > 4 << 20, "Nobody else can take these blocks"


@pytest.mark.long
def test_a_collector_gets_it_over_tls_and_after_it_was_away(stack: Stack, tmp_path: Path) -> None:
    bridge = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", "bridge")
    ca = Authority(tmp_path / "ca")
    client = ca.issue("archive", stem="client")
    collector = Collector(ca.issue(bridge), ca.file)
    marks = [f"1.2.3.{time.time_ns()}.{number}" for number in range(3)]

    def look(mark: str) -> None:
        rest(stack).get(f"{stack.portal}/dicom-web/studies/{mark}/metadata", timeout=30)

    def arrived(mark: str) -> list[str]:
        end = time.monotonic() + 70
        while not (found := [message for message in collector.messages if mark in message]):
            assert time.monotonic() < end, docker("logs", "--tail", "20", stack.container("audit"))
            time.sleep(0.2)
        return found

    try:
        with collector:
            files = {"ca_certificate": str(ca.file), "client_certificate": str(client[0]), "client_key": str(client[1])}
            settings = {"host": bridge, "port": collector.port, **files}
            stack.configure("--tags", "audit", orthweb_audit_collector=settings).ok()
            look(marks[0])
            [message] = arrived(marks[0])
            assert message.startswith("<110>1 20") and " orthweb - nginx - {" in message
            assert json.loads(message[message.index("{") :])["study"] == marks[0]
        look(marks[1])
        awaited(stack, lambda _event: True, study=marks[1])
        assert not [message for message in collector.messages if marks[1] in message]
        look(marks[2])
        with collector:
            arrived(marks[1])
            arrived(marks[2])
    finally:
        stack.configure("--tags", "audit").ok()
