# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the packages of the images come from: each mistake has a sentence of its own."""

from __future__ import annotations

import pytest
from ansible_collections.cellcs.orthweb.plugins.filter.image_sources import (
    image_source_problems,
    upstream_image_problems,
)

SUITES = {"orthanc": "forky", "nginx": "trixie", "postgresql": "trixie"}


@pytest.mark.parametrize(
    ("mirror", "snapshot", "fresh"),
    [
        ("", "", False),
        ("", "", True),
        ("http://mirror.clinic.example/debian", "", True),
        ("", "20261115T000000Z", False),
    ],
)
def test_what_works(mirror: str, snapshot: str, fresh: bool) -> None:
    assert image_source_problems(SUITES, mirror, snapshot, fresh) == []


@pytest.mark.parametrize(
    ("suites", "said"),
    [
        ("trixie", "container_images_suites is 'trixie'"),
        ({"orthanc": "sid"}, "no entry for nginx, postgresql"),
        (SUITES | {"ngnix": "trixie"}, "does not know ngnix"),
        (SUITES | {"nginx": "tri xie"}, "nginx is 'tri xie'"),
        (SUITES | {"nginx": None}, "nginx is None"),
    ],
)
def test_suites(suites: object, said: str) -> None:
    (problem,) = image_source_problems(suites, "", "", False)
    assert said in problem


@pytest.mark.parametrize(
    ("mirror", "snapshot", "fresh", "said"),
    [
        ("mirror.clinic.example", "", False, "no http or https URL"),
        ("", "2026-11-15", False, "write a date and time"),
        ("", "20261315T000000Z", False, "write a date and time"),
        ("http://mirror.clinic.example", "20261115T000000Z", False, "a mirror of its own"),
        ("", "20261115T000000Z", True, "packages of the past"),
    ],
)
def test_mirror_and_snapshot(mirror: str, snapshot: str, fresh: bool, said: str) -> None:
    (problem,) = image_source_problems(SUITES, mirror, snapshot, fresh)
    assert said in problem


def test_all_at_once() -> None:
    assert len(image_source_problems({}, "ftp://x", "yesterday", True)) == 5


@pytest.mark.parametrize("source", ["debian", "registry"])
@pytest.mark.parametrize("reference", ["", f"docker.io/orthancteam/orthanc:26.8.0@sha256:{'0a' * 32}"])
def test_an_upstream_image(reference: str, source: str) -> None:
    assert upstream_image_problems(reference, source) == []


@pytest.mark.parametrize(
    ("reference", "source", "said"),
    [
        ("orthancteam/orthanc:latest", "debian", "not pinned by digest"),
        (f"orthancteam/orthanc@sha256:{'0A' * 32}", "debian", "not pinned by digest"),
        (f"orthancteam/orthanc@sha256:{'0a' * 32}", "archive", "keeps no digest"),
    ],
)
def test_an_upstream_image_that_cannot_be_had(reference: str, source: str, said: str) -> None:
    (problem,) = upstream_image_problems(reference, source)
    assert said in problem
