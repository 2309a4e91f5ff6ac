# SPDX-License-Identifier: GPL-3.0-or-later
"""What radiologists look for is found; an archive that does not find it does not pass, and keeps nothing of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from images import associate, ct_image, is_stored
from pydicom.uid import generate_uid
from stack import Run, Stack, docker


@pytest.fixture
def particular(stack: Stack) -> Iterator[Run]:
    """The archive as it is deployed with an option by which it distinguishes upper and lower case in names."""
    yield stack.deploy(orthanc_config={"CaseSensitivePN": True})
    stack.deploy().ok()


def kept(stack: Stack) -> str:
    psql = ["psql", "--username=postgres", "--dbname=orthanc", "--no-align", "--tuples-only"]
    query = "SELECT count(*) FROM attachedfiles FULL JOIN storagearea USING (uuid)"
    return docker("exec", stack.container("postgresql"), *psql, f"--command={query}")


@pytest.fixture
def before(stack: Stack) -> str:
    return kept(stack)


def test_what_is_typed_in_lower_case_is_not_found(stack: Stack, before: str, particular: Run) -> None:
    said = " ".join(particular.output.split())
    assert particular.code != 0
    assert "did not pass: round_trip | Search for them by QIDO-RS in the ways that radiologists do" in said
    assert "patient's name, family name within * in lower case" in said
    assert "not found among 0" in said
    assert kept(stack) == before


def test_images_of_before_get_rows_and_columns(stack: Stack) -> None:
    """As docs/storage.md says it, for an image that has nothing in the index of what ExtraMainDicomTags adds."""
    image = ct_image(generate_uid())
    association = associate(stack)
    assert is_stored(association, image)
    association.release()
    session = requests.Session()
    session.auth, session.verify, session.trust_env = stack.login, stack.ca, False
    instances = f"{stack.portal}/dicom-web/studies/{image.StudyInstanceUID}/instances"
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
