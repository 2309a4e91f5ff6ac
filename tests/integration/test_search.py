# SPDX-License-Identifier: GPL-3.0-or-later
"""What radiologists look for is found; an archive that does not find it does not pass, and keeps nothing of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from support.images import CALLED_AET, CALLING_AET, associate, ct_image, is_stored
from support.rest import rest
from support.stack import Run, Stack, docker


@pytest.fixture
def without_rows(stack: Stack) -> Iterator[Run]:
    """The deployment of an archive whose index has Rows and Columns of no instance."""
    stack.configure("--tags", "orthanc", orthanc_config={"ExtraMainDicomTags": {"Instance": []}}).ok()
    yield stack.play("verify")
    stack.configure("--tags", "orthanc").ok()


def kept(stack: Stack) -> str:
    psql = ["psql", "--username=postgres", "--dbname=orthanc", "--no-align", "--tuples-only"]
    query = "SELECT count(*) FROM attachedfiles FULL JOIN storagearea USING (uuid)"
    return docker("exec", stack.container("postgresql"), *psql, f"--command={query}")


@pytest.fixture
def before(stack: Stack) -> str:
    return kept(stack)


@pytest.mark.long
def test_what_is_not_found_as_it_should_be_does_not_pass(stack: Stack, before: str, without_rows: Run) -> None:
    said = " ".join(without_rows.output.split())
    assert without_rows.code != 0
    assert "did not pass: round_trip | Search for them by QIDO-RS as radiologists do" in said
    assert "Rows is '128' in the file, and 'missing' in the answer" in said.replace("''", "'")
    assert kept(stack) == before


def test_images_of_before_get_rows_and_columns(stack: Stack) -> None:
    """As docs/storage.md says it, for an image that has nothing in the index of what ExtraMainDicomTags adds."""
    image = ct_image(generate_uid())
    association = associate(stack)
    assert is_stored(association, image)
    association.release()
    instances = f"{stack.portal}/dicom-web/studies/{image.StudyInstanceUID}/instances"
    session = rest(stack)
    assert session.get(instances, timeout=30).json()[0]["00280010"]["Value"] == [128]

    query = (
        "DELETE FROM maindicomtags WHERE taggroup = 40 AND id = (SELECT id FROM dicomidentifiers "
        f"WHERE taggroup = 8 AND tagelement = 24 AND value = '{image.SOPInstanceUID}')"
    )
    psql = ["psql", "--username=postgres", "--dbname=orthanc"]
    docker("exec", stack.container("postgresql"), *psql, f"--command={query}")
    assert "00280010" not in session.get(instances, timeout=30).json()[0]

    for study in session.get(f"{stack.portal}/orthanc/studies", timeout=30).json():
        session.post(f"{stack.portal}/orthanc/studies/{study}/reconstruct", json={}, timeout=60).raise_for_status()
    assert session.get(instances, timeout=30).json()[0]["00280010"]["Value"] == [128]


def c_find(stack: Stack, level: str, charset: str = "ISO_IR 192", **keys: str | None) -> list[Dataset]:
    ae = AE(CALLING_AET)
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    tls = (stack.client_tls(), "localhost")
    association = ae.associate("localhost", stack.dicom_port, ae_title=CALLED_AET, tls_args=tls)
    assert association.is_established
    query = Dataset()
    query.SpecificCharacterSet, query.QueryRetrieveLevel = charset, level
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    answers = list(association.send_c_find(query, StudyRootQueryRetrieveInformationModelFind))
    association.release()
    assert answers[-1][0].Status == 0x0000, f"All that was found was told: {answers[-1][0].Status:04X}"
    return [answer for _status, answer in answers[:-1]]


def test_a_workstation_finds_by_c_find_too(stack: Stack) -> None:
    """By a name with an umlaut in both character sets, by date and modality; and all instances of a long series."""
    study, series = generate_uid(), generate_uid()
    association = associate(stack)
    for number in range(1, 131):
        image = ct_image(study)
        image.SpecificCharacterSet, image.PatientName, image.PatientID = "ISO_IR 192", "Müller Befund^Jörg", "C-FIND"
        image.SeriesInstanceUID, image.InstanceNumber, image.StudyDate = series, number, "20260415"
        assert is_stored(association, image)
    association.release()

    for charset in ("ISO_IR 192", "ISO_IR 100"):
        for keys in (
            {"PatientName": "Müller*"},
            {"PatientName": "*müller befund*"},
            {"PatientName": "Müller Befund^Jörg"},
            {"PatientID": "C-FIND", "StudyDate": "20260101-20261231"},
            {"PatientID": "C-FIND", "ModalitiesInStudy": "CT"},
        ):
            found = c_find(stack, "STUDY", charset, StudyInstanceUID="", **keys)
            assert study in [answer.StudyInstanceUID for answer in found], (charset, keys)
    for keys in (
        {"PatientName": "Müllerin*"},
        {"PatientID": "C-FIND", "StudyDate": "20250101-20251231"},
        {"PatientID": "C-FIND", "ModalitiesInStudy": "MR"},
    ):
        assert study not in [answer.StudyInstanceUID for answer in c_find(stack, "STUDY", StudyInstanceUID="", **keys)]

    wanted = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": "", "Rows": None}
    answers = c_find(stack, "IMAGE", **wanted)
    assert len({answer.SOPInstanceUID for answer in answers}) == 130
    assert {answer.Rows for answer in answers} == {128}
