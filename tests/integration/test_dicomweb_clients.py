# SPDX-License-Identifier: GPL-3.0-or-later
"""What conforming DICOMweb clients send (PS3.18), through the portal: dicomweb-client as it comes, and plain HTTP."""

from __future__ import annotations

import io
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid

from support.images import associate, ct_image, is_stored
from support.rest import remove, rest
from support.stack import Stack

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG"
JSON = {"Accept": "application/dicom+json"}


@pytest.fixture(scope="module")
def session(stack: Stack) -> requests.Session:
    return rest(stack, "rita")


@pytest.fixture(scope="module")
def images(stack: Stack) -> Iterator[list[Dataset]]:
    """Three studies; the name and the ID of the first have an ampersand, its overlay is bulk data."""
    made = [ct_image(generate_uid()) for _number in range(3)]
    for number, image in enumerate(made):
        image.PatientID = f"CLIENTS{number}"
    made[0].PatientID, made[0].PatientName = "CLIENTS&0", "Miller & Co^A+B 1/2%"
    made[0].add_new(0x60003000, "OW", bytes(range(256)) * 8)
    made[0].add_new(0x60000010, "US", 128)
    made[0].add_new(0x60000011, "US", 128)
    association = associate(stack)
    assert all(is_stored(association, image) for image in made)
    association.release()
    yield made
    for image in made:
        remove(stack, image.StudyInstanceUID)


@pytest.fixture
def web(stack: Stack, session: requests.Session, images: list[Dataset]) -> str:
    return f"{stack.portal}/dicom-web"


def address(image: Dataset) -> str:
    return f"/studies/{image.StudyInstanceUID}/series/{image.SeriesInstanceUID}/instances/{image.SOPInstanceUID}"


def studies(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [found["0020000D"]["Value"][0] for found in answer.json()]


@pytest.mark.parametrize(
    "path",
    [
        "/studies?PatientID=CLIENTS1&foo=bar&timezoneadjustment=true&orderby=StudyDate",
        "/studies?PatientID=CLIENTS1&includeField=all",
        "{study}/metadata?includefield=all",
        "{study}/series?access_token=x&SpecificCharacterSet=ISO_IR%20192&00080201=%2B0100",
    ],
)
def test_parameters_that_nobody_knows_are_ignored_and_named(
    web: str, session: requests.Session, images: list[Dataset], path: str
) -> None:
    """PS3.18 section 8.3."""
    answer = session.get(web + path.format(study=f"/studies/{images[1].StudyInstanceUID}"), timeout=30)
    assert set(studies(answer)) == {images[1].StudyInstanceUID}
    assert answer.headers["Warning"].startswith('299 orthweb "These parameters are not supported and were ignored: ')


def test_what_is_known_has_no_warning(web: str, session: requests.Session, images: list[Dataset]) -> None:
    answer = session.get(f"{web}/studies?PatientID=CLIENTS1&limit=5&includefield=all", timeout=30)
    assert studies(answer) == [images[1].StudyInstanceUID]
    assert "Warning" not in answer.headers


@pytest.mark.parametrize(
    "query", ["_method=DELETE", "_METHOD=DELETE", "foo=1&_method=DELETE", "foo=%00", "foo%26_method=DELETE"]
)
def test_what_changes_a_request_is_still_refused(
    web: str, session: requests.Session, images: list[Dataset], query: str
) -> None:
    assert session.get(f"{web}/studies/{images[1].StudyInstanceUID}/metadata?{query}", timeout=30).status_code == 400


@pytest.mark.parametrize(
    "value", ["PatientID=CLIENTS%260", "PatientName=Miller%20%26%20Co%5EA%2BB%201%2F2%25", "00100020=CLIENTS%260*"]
)
def test_an_ampersand_is_found(web: str, session: requests.Session, images: list[Dataset], value: str) -> None:
    answer = session.get(f"{web}/studies?{value}", timeout=30)
    assert studies(answer) == [images[0].StudyInstanceUID]
    assert "ampersand" in answer.headers["Warning"]


@pytest.mark.parametrize("query", ["offset=1", "offset=1&limit=0", "offset=1&limit=100"])
def test_an_offset_leaves_out_that_many(web: str, session: requests.Session, query: str) -> None:
    every = studies(session.get(f"{web}/studies?PatientID=CLIENTS*", timeout=30))
    rest = studies(session.get(f"{web}/studies?PatientID=CLIENTS*&{query}", timeout=30))
    assert len(every) == 3
    assert rest == every[1:]


def test_what_is_not_done_is_said(web: str, session: requests.Session) -> None:
    for query, said in (
        ("fuzzymatching=true&PatientID=CLIENTS1", "Only literal matching has been performed."),
        ("00400275.ScheduledProcedureStepID=1", "Attributes in sequences are not matched: 00400275.Scheduled"),
    ):
        assert said in session.get(f"{web}/series?{query}", timeout=30).headers["Warning"]


def test_a_slash_at_the_end_and_hundreds_of_uids(web: str, session: requests.Session, images: list[Dataset]) -> None:
    assert studies(session.get(f"{web}/studies/?PatientID=CLIENTS1", timeout=30)) == [images[1].StudyInstanceUID]
    uids = [image.StudyInstanceUID for image in images] + [generate_uid() for _number in range(200)]
    found = studies(session.get(f"{web}/studies?StudyInstanceUID={','.join(uids)}", timeout=30))
    assert set(found) == set(uids[:3])


def test_head_is_get_without_the_body(web: str, session: requests.Session, images: list[Dataset]) -> None:
    for path in ("/studies", address(images[1]) + "/metadata"):
        answer = session.head(web + path, timeout=30)
        assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("query", "accept", "begins"),
    [
        ("", "*/*", JPEG),
        ("", "image/*", JPEG),
        ("", "image/png", PNG),
        ("", "image/jpeg;q=0.5, image/png;q=0.9", JPEG),
        ("", "image/webp, image/png", PNG),
        ("?accept=image/png", "*/*", PNG),
        ("?accept=image%2Fpng&quality=90", "image/jpeg", PNG),
    ],
)
def test_a_picture_in_the_form_that_is_asked_for(
    web: str, session: requests.Session, images: list[Dataset], query: str, accept: str, begins: bytes
) -> None:
    answer = session.get(f"{web}{address(images[1])}/rendered{query}", headers={"Accept": accept}, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(begins)


def test_wado_uri(stack: Stack, session: requests.Session, images: list[Dataset]) -> None:
    """PS3.18 section 9, at the usual address and below Orthanc's."""
    one = images[1]
    uids = {"studyUID": one.StudyInstanceUID, "seriesUID": one.SeriesInstanceUID, "objectUID": one.SOPInstanceUID}
    asked = urlencode({"requestType": "WADO", **uids})
    for path in ("/wado", "/orthanc/wado"):
        url = f"{stack.portal}{path}?{asked}"
        picture = session.get(url, timeout=30)
        assert (picture.headers["Content-Type"], picture.content[:3]) == ("image/jpeg", JPEG)
        picture = session.get(f"{url}&contentType=image%2Fpng", timeout=30)
        assert (picture.headers["Content-Type"], picture.content[:4]) == ("image/png", PNG)
        file = session.get(f"{url}&contentType=application%2Fdicom", timeout=30)
        assert dcmread(io.BytesIO(file.content)).SOPInstanceUID == one.SOPInstanceUID
        assert session.get(f"{url}&contentType=application%2Fdicom&anonymize=yes", timeout=30).status_code == 400


def test_a_program_at_a_wrong_address_gets_no_page(stack: Stack, session: requests.Session) -> None:
    assert session.get(f"{stack.portal}/Dicom-Web/studies", headers=JSON, timeout=30).status_code == 404
    page = session.get(f"{stack.portal}/viewer?StudyInstanceUIDs=1.2", headers={"Accept": "text/html"}, timeout=30)
    assert page.status_code == 200 and "<html" in page.text


def test_dicomweb_client_with_its_defaults(stack: Stack, session: requests.Session, images: list[Dataset]) -> None:
    client = DICOMwebClient(f"{stack.portal}/dicom-web", session=session)
    one, uids = images[0], (images[0].StudyInstanceUID, images[0].SeriesInstanceUID, images[0].SOPInstanceUID)
    assert len(client.search_for_studies(search_filters={"PatientID": "CLIENTS*"}, limit=2, get_remaining=True)) == 3
    assert len(client.search_for_studies(search_filters={"PatientID": "CLIENTS&0"})) == 1
    assert client.retrieve_instance(*uids).PixelData == one.PixelData
    [frame] = client.retrieve_instance_frames(*uids, frame_numbers=[1])
    assert frame == one.PixelData
    assert client.retrieve_instance_rendered(*uids).startswith(JPEG)
    metadata = client.retrieve_instance_metadata(*uids)
    # The client's Host has no port, so neither has the address that it gets: wrong where the portal is not at 443.
    overlay = urlsplit(metadata["60003000"]["BulkDataURI"]).path
    [octets] = client.retrieve_bulkdata(stack.portal + overlay)
    assert octets == one[0x60003000].value
