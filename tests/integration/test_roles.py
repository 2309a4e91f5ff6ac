# SPDX-License-Identifier: GPL-3.0-or-later
"""What each role may do, as the archive itself answers."""

from __future__ import annotations

import io
import zipfile

import pytest
import requests
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from support.images import ct_image, encoded, fetch
from support.login import log_in
from support.rest import orthanc_path
from support.stack import Stack

CT = "1.2.840.10008.5.1.4.1.1.2"
REPORTS = {
    "comprehensive SR": "1.2.840.10008.5.1.4.1.1.88.33",
    "key object selection": "1.2.840.10008.5.1.4.1.1.88.59",
    "softcopy presentation state": "1.2.840.10008.5.1.4.1.1.11.1",
}
DOORS = ("stow", "rest", "zip", "orthanc-stow")


def instance(sop_class: str, **attributes: str) -> Dataset:
    """With nothing in it that would show what it is but its SOP class."""
    made = Dataset()
    made.update(ct_image(generate_uid()).group_dataset(0x0010))
    made.SOPClassUID, made.SOPInstanceUID = sop_class, generate_uid()
    made.StudyInstanceUID, made.SeriesInstanceUID, made.Modality = generate_uid(), generate_uid(), "SR"
    for name, value in attributes.items():
        setattr(made, name, value)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = (
        UID(sop_class),
        made.SOPInstanceUID,
    )
    return made


def store(session: requests.Session, stack: Stack, door: str, given: Dataset, **headers: str) -> requests.Response:
    content = encoded(given)
    if door.endswith("stow"):
        body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--b--\r\n"
        to = f"{stack.portal}/dicom-web/studies" if door == "stow" else f"{stack.orthanc}/dicom-web/studies"
        kind = 'multipart/related; type="application/dicom"; boundary=b'
        sent = {"Content-Type": kind, "Accept": "application/dicom+json", **headers}
        return session.post(to, data=body, headers=sent, timeout=60)
    if door == "zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("one.dcm", content)
        content = packed.getvalue()
    return session.post(f"{stack.portal}/orthanc/instances", data=content, headers=headers, timeout=60)


def is_there(stack: Stack, given: Dataset) -> bool:
    return orthanc_path(stack, given.SOPInstanceUID) != ""


# --- radiologists


@pytest.mark.parametrize("door", DOORS)
def test_a_radiologist_stores_reports_and_no_images(stack: Stack, door: str) -> None:
    rosa = log_in(stack, stack.login_of("rosa"))
    for sop_class in REPORTS.values():
        report = instance(sop_class)
        answer = store(rosa, stack, door, report)
        assert answer.status_code == 200 and is_there(stack, report), answer.text
    image = instance(CT)
    answer = store(rosa, stack, door, image)
    assert not is_there(stack, image)
    assert '"Success"' not in answer.text and (door == "rest" or answer.status_code >= 400), answer.text
    ulf = log_in(stack, stack.login_of("ulf"))
    assert store(ulf, stack, door, image).status_code == 200 and is_there(stack, image), (
        "the next request on that thread"
    )


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("trick", ["file meta", "modality", "two values", "prefix", "header", "empty header"])
def test_the_sop_class_is_that_of_the_dataset(stack: Stack, door: str, trick: str) -> None:
    rosa = log_in(stack, stack.login_of("rosa"))
    report = REPORTS["comprehensive SR"]
    image = instance(CT)
    headers = {"header": {"Orthweb-Stores": "everything"}, "empty header": {"Orthweb-Stores": ""}}.get(trick, {})
    if trick == "file meta":
        image.file_meta.MediaStorageSOPClassUID = UID(report)
    elif trick == "two values":
        image.SOPClassUID = [report, CT]
    elif trick == "prefix":
        image.SOPClassUID = "1.2.840.10008.5.1.4.1.1.881"
    store(rosa, stack, door, image, **headers)
    assert not is_there(stack, image)


def test_a_report_of_the_same_uid_replaces_none(stack: Stack) -> None:
    rosa = log_in(stack, stack.login_of("rosa"))
    first = instance(REPORTS["comprehensive SR"], SeriesDescription="first")
    assert store(rosa, stack, "stow", first).status_code == 200
    for door in DOORS:
        first.SeriesDescription = "second"
        store(rosa, stack, door, first)
        assert fetch(stack, first.SOPInstanceUID).SeriesDescription == "first"
