# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what reaches Orthanc: what no row may let through, and what the field's clients ask with."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

from support.checkout import ROOT

FILE = ROOT / "roles" / "nginx" / "vars" / "main" / "routes.yml"
TABLE = yaml.safe_load(FILE.read_text())
READING = TABLE["__nginx_reading_arguments"]
FILTERS = {
    "bool": bool,
    "combine": lambda first, second: {**first, **second},
    "map": lambda rows, _combine, more: [{**row, **more} for row in rows],
    "unique": lambda values: list(dict.fromkeys(values)),
}
GIVEN = {"nginx_radiologists_store": True, "nginx_share_roles": ["admin", "radiologist"], "nginx_more_arguments": []}


def resolved(value: Any) -> Any:
    """With its expressions evaluated, as Ansible does."""
    if isinstance(value, str) and "{{" in value:
        names = [name for name in re.findall(r"\w+", value) if name in TABLE]
        language = NativeEnvironment()
        language.filters.update(FILTERS)
        return language.from_string(value).render(GIVEN, **{name: resolved(TABLE[name]) for name in names})
    if isinstance(value, list):
        return [resolved(one) for one in value]
    return {key: resolved(one) for key, one in value.items()} if isinstance(value, dict) else value


ROWS = resolved(resolved(TABLE["__nginx_routes"]))
PUBLIC = ["admin", "radiologist", "reader", "uploader", "share"]
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
    assert "arguments" not in row or row["methods"] == ["GET", "HEAD"]
    assert set(row) <= {"roles", "methods", "path", "arguments", "attributes", "ignored", "refused", "page", "study"}
    assert "ignored" not in row or re.search("dicom-web|wado", row["path"]), "PS3.18 wants it of DICOMweb alone"
    assert set(row["roles"]) <= {*PUBLIC, "acceptance"}
    assert row.get("methods") or row["roles"] == ["admin"]


def allowed(method: str, path: str) -> list[str]:
    """The roles, by the first row for each, as admission reads the table."""
    rows = [row for row in ROWS if method in row.get("methods", [method]) and re.fullmatch(row["path"], path)]
    return [role for role in PUBLIC if any(role in row["roles"] for row in rows)]


READERS, ALL = ["admin", "radiologist", "reader"], ["admin", "radiologist", "reader", "uploader"]


@pytest.mark.parametrize(
    ("method", "path", "roles"),
    [
        ("GET", "/", [*READERS, "share"]),
        ("GET", "/viewer", [*READERS, "share"]),
        ("GET", "/app-config.js", [*READERS, "share"]),
        ("GET", "/dicom-web/studies", [*READERS, "share"]),
        ("GET", "/dicom-web/series", READERS),
        ("GET", f"/dicom-web/studies/{UID}/series", [*READERS, "share"]),
        ("GET", f"/dicom-web/studies/{UID}/series/{UID}/instances/{UID}/frames/1", [*READERS, "share"]),
        ("GET", "/wado", READERS),
        ("GET", f"/orthanc/studies/{ID}", READERS),
        ("GET", f"/orthanc/dicom-web/studies/{UID}/series", READERS),
        ("GET", "/orthanc/app/explorer.html", READERS),
        ("GET", "/archive/", ALL),
        ("GET", "/archive/me", ALL),
        ("GET", "/archive/explorer.js", READERS),
        ("GET", "/archive/modalities.json", ["admin"]),
        ("GET", "/archive/sessions", ["admin"]),
        ("DELETE", "/archive/sessions", ["admin"]),
        ("POST", "/archive/sessions", []),
        ("GET", "/archive/accounts", ["admin"]),
        ("DELETE", "/archive/accounts", []),
        ("POST", "/archive/audit", ["admin"]),
        ("GET", "/archive/audit", []),
        ("GET", "/archive/shares", ["admin", "radiologist"]),
        ("POST", "/archive/shares", ["admin", "radiologist"]),
        ("DELETE", "/archive/shares/0b2d9c1e-0000-4000-8000-000000000000", ["admin", "radiologist"]),
        ("POST", "/orthanc/instances", ["admin", "radiologist", "uploader"]),
        ("POST", "/dicom-web/studies", ["admin", "radiologist", "uploader"]),
        ("POST", f"/dicom-web/studies/{UID}", ["admin", "radiologist", "uploader"]),
        ("POST", "/orthanc/tools/find", READERS),
        ("POST", f"/orthanc/studies/{ID}/archive", READERS),
        ("POST", f"/orthanc/studies/{ID}/anonymize", ["admin"]),
        ("POST", f"/orthanc/studies/{ID}/modify", ["admin"]),
        ("POST", "/orthanc/modalities/display/store", ["admin"]),
        ("POST", "/orthanc/tools/execute-script", ["admin"]),
        ("PUT", f"/orthanc/patients/{ID}/protected", ["admin"]),
        ("DELETE", f"/orthanc/studies/{ID}", ["admin"]),
        ("DELETE", f"/orthanc/instances/{ID}", ["admin"]),
        ("DELETE", f"/dicom-web/studies/{UID}", ["admin"]),
    ],
)
def test_who_may_do_what(method: str, path: str, roles: list[str]) -> None:
    assert allowed(method, path) == roles


def test_a_share_reaches_orthanc_by_its_study_only() -> None:
    rows = [row for row in ROWS if "share" in row["roles"]]
    assert {row["methods"] == ["GET", "HEAD"] and row["roles"] == ["share"] for row in rows} == {True}
    bound = [row for row in rows if "study" in row]
    [free] = [row for row in rows if "study" not in row]
    assert all(re.compile(row["path"]).groups for row in bound if row["study"] == "path")
    for path in (
        "/dicom-web",
        "/dicom-web/studies",
        "/orthanc",
        "/orthanc/studies",
        "/wado",
        "/wado/",
        "/archive/",
        "/auth/",
    ):
        assert not re.fullmatch(free["path"], path)


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
