# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx answers by itself: pages for people, sentences for programs, and bulk data out of its wrapping."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests
from pydicom import Dataset
from pydicom.uid import generate_uid

from support.browser_kinds import store, study_of_kind
from support.places import Place
from support.rest import remove, rest
from support.stack import Stack, docker, wait_until_healthy

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
SINGLE, MULTIPART = "application/octet-stream", 'multipart/related; type="application/octet-stream"'


@pytest.fixture
def clients(stack: Stack) -> dict[str, requests.Session]:
    clients = {"admin": rest(stack), "rita": rest(stack)}
    clients["rita"].auth = stack.login_of("rita")
    return clients


@pytest.mark.parametrize(
    ("account", "path", "status", "sentence"),
    [
        ("rita", "/archive/modalities.json", 403, "The account rita has the role reader, which may not do this."),
        ("admin", "/archive/nothing", 404, "There is nothing at this address."),
        ("admin", "/orthanc/studies?%3Ci%3E=1", 400, "This address takes no argument"),
    ],
)
def test_an_error_is_a_page_for_people_and_a_sentence_for_programs(
    stack: Stack, clients: dict[str, requests.Session], account: str, path: str, status: int, sentence: str
) -> None:
    for accept, kind in ((BROWSER, "text/html"), ("application/dicom+json", "text/plain")):
        answer = clients[account].get(stack.portal + path, headers={"Accept": accept}, timeout=30)
        assert answer.status_code == status
        assert answer.headers["Content-Type"].startswith(kind)
        assert sentence in answer.text
        assert (f"<title>{stack.name}: {status}</title>" in answer.text) is (kind == "text/html")
        assert kind == "text/plain" or "<i>" not in answer.text  # what was asked for becomes no markup


def test_without_orthanc_the_portal_says_so(stack: Stack, clients: dict[str, requests.Session]) -> None:
    docker("stop", stack.container("orthanc"))
    try:
        for accept, kind in ((BROWSER, "text/html"), ("application/dicom+json", "text/plain")):
            answer = clients["rita"].get(f"{stack.portal}/dicom-web/studies", headers={"Accept": accept}, timeout=60)
            assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (502, kind)
            assert "Orthanc, the part of the archive that has the images, does not answer." in answer.text
    finally:
        docker("start", stack.container("orthanc"))
        wait_until_healthy(stack.container("orthanc"))


def test_a_dicom_port_that_hangs_is_not_said_to_answer(stack: Stack, clients: dict[str, requests.Session]) -> None:
    """The kernel takes connections for a process that hangs."""

    def answers() -> bool:
        return clients["rita"].get(f"{stack.portal}/archive/dicom", timeout=30).json()["answers"]

    assert answers()
    docker("pause", stack.container("orthanc"))
    try:
        assert not answers()
    finally:
        docker("unpause", stack.container("orthanc"))
        wait_until_healthy(stack.container("orthanc"))
    assert answers()


def readiness(place: Place, stack: Stack) -> str:
    """What a load balancer is told: status and content. It verifies no certificate."""
    url = stack.portal.replace("127.0.0.1", place.archive).replace("localhost", place.archive)
    return place.run(
        ["curl", "--silent", "--insecure", "--max-time", "10", "-w", "%{http_code}", f"{url}/ready"]
    ).stdout


def test_a_load_balancer_is_told_whether_images_can_be_stored(
    stack: Stack, modality: Place, display_place: Place
) -> None:
    assert readiness(modality, stack) == "200"
    assert readiness(display_place, stack).endswith("404")
    for part, stop, start in (
        ("orthanc", "pause", "unpause"),
        ("orthanc", "stop", "start"),
        ("postgresql", "stop", "start"),
    ):
        docker(stop, stack.container(part))
        try:
            assert readiness(modality, stack).endswith("503"), f"{part} {stop}"
        finally:
            docker(start, stack.container(part))
            wait_until_healthy(stack.container(part))
        answers = (time.sleep(1) or readiness(modality, stack) for _attempt in range(60))
        assert "200" in answers, f"{part} {start}"


@pytest.fixture(scope="module")
def ecg(stack: Stack) -> Iterator[Dataset]:
    (made,) = study_of_kind("ecg", str(generate_uid()), "BULK", "Bulk^Data")
    try:
        store(stack, made)
        yield made
    finally:
        remove(stack, made.StudyInstanceUID)


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        (SINGLE, 200, SINGLE),  # OHIF, for an ECG
        (f'multipart/related; type="application/pdf", {MULTIPART}', 200, "multipart/related"),  # OHIF, for a PDF
        (MULTIPART, 200, "multipart/related"),
        ("*/*", 200, "multipart/related"),
        ("image/png", 400, ""),
    ],
)
def test_bulk_data_comes_in_the_form_that_was_asked_for(
    stack: Stack, clients: dict[str, requests.Session], ecg: Dataset, accept: str, status: int, kind: str
) -> None:
    instance = (
        f"{stack.portal}/dicom-web/studies/{ecg.StudyInstanceUID}/series/{ecg.SeriesInstanceUID}"
        f"/instances/{ecg.SOPInstanceUID}"
    )
    group = clients["rita"].get(f"{instance}/metadata", timeout=60).json()[0]["54000100"]["Value"][0]
    answer = clients["rita"].get(group["54001010"]["BulkDataURI"], headers={"Accept": accept}, timeout=60)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith(kind)
    octets = ecg.WaveformSequence[0].WaveformData
    assert (answer.content == octets) is (kind == SINGLE)
    assert (octets in answer.content) is (status == 200)
