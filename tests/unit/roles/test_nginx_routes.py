# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what reaches Orthanc: what no row may let through, and what the field's clients ask with."""

from __future__ import annotations

import re

import pytest
import yaml

from support.checkout import ROOT

FILE = ROOT / "roles" / "nginx" / "vars" / "main" / "routes.yml"
TABLE = yaml.safe_load(FILE.read_text())
READING = TABLE["__nginx_reading_arguments"]
ROWS = [
    *TABLE["__nginx_archive_routes"],
    *TABLE["__nginx_acceptance_routes"],
    *TABLE["__nginx_uploading_routes"],
    *READING,
    *TABLE["__nginx_last_routes"],
]
UID, ID = "1.2.840.113619", "6e2c0ec2-5d99c8ca-c1c21cee-79a09605-68391d12"


def taken(path: str, name: str) -> bool:
    """By the first row for the path, as admission reads the table."""
    row = next(row for row in READING if re.fullmatch(row["path"], path))
    return any(re.fullmatch(pattern, name) for pattern in [*row["arguments"], *row.get("attributes", [])])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["path"])
def test_no_row_takes_what_changes_the_method(row: dict) -> None:
    for name in (
        "_method",
        "_METHOD",
        "%5Fmethod",
        "_",
        "",
        "a=_method",
        "full;_method",
        "full _method",
        "full\n_method",
    ):
        taken = [*row.get("arguments", []), *row.get("attributes", [])]
        assert not [pattern for pattern in taken if re.fullmatch(pattern, name)], name


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["path"])
def test_only_reading_has_arguments(row: dict) -> None:
    assert "arguments" not in row or row in READING
    assert set(row) <= {"roles", "methods", "path", "arguments", "attributes", "ignored", "refused", "page"}
    assert "ignored" not in row or re.search("dicom-web|wado", row["path"]), "PS3.18 wants it of DICOMweb alone"
    assert row.get("methods") or row.get("roles", ["admin"]) == ["admin"] or row in READING
    roles = row.get("roles", [])
    if isinstance(roles, str):  # an expression
        roles = re.findall("'(\\w+)'", roles)
    assert set(roles) <= {"admin", "radiologist", "reader", "uploader", "acceptance"}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/dicom-web/studies", ["PatientName", "00100010", "includefield", "limit", "offset", "fuzzymatching"]),
        (f"/dicom-web/studies/{UID}/series/{UID}/instances", ["SOPClassUID", "00080018"]),
        ("/orthanc/dicom-web/instances", ["RequestAttributesSequence.ScheduledProcedureStepID", "00400275.00400009"]),
        ("/dicom-web/series/", ["RequestAttributesSequence.00400009", "00400275.ScheduledProcedureStepID", "dBdt"]),
        (
            f"/dicom-web/studies/{UID}/series/{UID}/instances/{UID}/rendered",
            ["viewport", "window", "quality", "accept"],
        ),
        (f"/dicom-web/studies/{UID}/series/{UID}/instances/{UID}/bulk/00420011", ["accept"]),
        ("/wado", ["requestType", "iccprofile"]),
        ("/orthanc/wado", ["requestType", "studyUID", "seriesUID", "objectUID", "contentType", "frameNumber"]),
        ("/orthanc/studies", ["expand", "since", "limit", "full", "requested-tags"]),
        (f"/orthanc/studies/{ID}/archive", ["filename", "transcode", "lossy-quality"]),
        (f"/orthanc/instances/{ID}/frames/3/preview", ["returnUnsupportedImage", "quality"]),
        (f"/orthanc/instances/{ID}/tags", ["simplify", "short", "whole", "ignore-length"]),
        ("/orthanc/web-viewer/app/viewer.html", ["series"]),
    ],
)
def test_what_clients_ask_with_is_taken(path: str, names: list[str]) -> None:
    assert [name for name in names if not taken(path, name)] == []


@pytest.mark.parametrize(
    "name",
    [
        "patientName",
        "Patient Name",
        "0010001",
        "001000100",
        "PatientName.",
        "limit;offset",
        "SpecificCharacterSet",
        "00080201",
    ],
)
def test_what_is_no_attribute_is_not_taken(name: str) -> None:
    assert not taken("/dicom-web/studies", name)
