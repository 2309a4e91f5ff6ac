# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the packages of the images come from: each mistake has a sentence of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.preflight.images import (
    image_problems,
    image_source_problems,
    upstream_image_problems,
)

SUITES = {"orthanc": "forky", "nginx": "trixie", "identity": "trixie", "postgresql": "trixie"} | {
    "audit": "trixie",
    "backup": "trixie",
    "acme": "trixie",
}


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
        ("trixie", "orthweb_images_suites is 'trixie'"),
        ({"orthanc": "sid"}, "no entry for nginx, identity, postgresql, audit"),
        (SUITES | {"ngnix": "trixie"}, "has unknown keys: ngnix"),
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
        ("mirror.clinic.example", "", False, "not an http or https URL"),
        ("", "2026-11-15", False, "write a date and time"),
        ("", "20261315T000000Z", False, "write a date and time"),
        ("http://mirror.clinic.example", "20261115T000000Z", False, "its own mirror"),
        ("", "20261115T000000Z", True, "asks for old packages"),
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


GIVEN = {
    "archive": "",
    "upstream_orthanc": "",
    "suites": SUITES,
    "mirror": "",
    "snapshot": "",
    "require_fresh_index": False,
}
DIGEST = "registry.example/nginx@sha256:" + "0" * 64
REGISTRY = {"references": {"nginx": DIGEST}, "needed": ["nginx"], "host": "one", "login_keys": [], "ca": ""}


def problems_of(source: str, registry: dict[str, object] | None = None, **given: object) -> list[str]:
    return list(image_problems(source=source, registry={**REGISTRY, **(registry or {})}, **{**GIVEN, **given}))


def test_what_fits_its_source_is_fine(tmp_path: Path) -> None:
    (tmp_path / "images.tar.gz").touch()
    assert problems_of("debian") == []
    assert problems_of("archive", archive=str(tmp_path / "images.tar.gz"), suites={}) == []
    assert problems_of("registry", {"login_keys": ["password", "server", "username"]}, suites={}) == []


@pytest.mark.parametrize(
    ("source", "registry", "given", "said"),
    [
        ("nowhere", {}, {}, 'orthweb_images_source is "nowhere": choose debian'),
        (
            "archive",
            {},
            {"archive": "/nonexistent/a.tar"},
            "orthweb_images_archive is /nonexistent/a.tar, but there is",
        ),
        ("debian", {}, {"mirror": "ftp://x"}, "not an http or https URL"),
        ("registry", {"needed": ["nginx", "orthanc"]}, {}, "has no entry for orthanc, which one runs."),
        (
            "registry",
            {"references": ["nginx"]},
            {},
            "set a reference for each image (orthanc, nginx, identity, postgresql, audit, backup, acme).",
        ),
        ("registry", {"references": {"nginx": "nginx:latest"}}, {}, 'nginx is "nginx:latest", which is not pinned'),
        ("registry", {"references": {"nginx": DIGEST + "0"}}, {}, "not pinned by digest"),
        ("registry", {"login_keys": ["server"]}, {}, "orthweb_images_registry_login has server: set"),
        ("registry", {"ca": "/nonexistent/ca.crt"}, {}, "orthweb_images_registry_ca is /nonexistent/ca.crt"),
        ("registry", {}, {"upstream_orthanc": "orthancteam/orthanc"}, "not pinned by digest"),
    ],
)
def test_each_mistake_has_its_sentence(source: str, registry: dict, given: dict, said: str) -> None:
    (problem,) = problems_of(source, registry, **given)
    assert said in problem


def test_the_upstream_image_is_not_looked_for_in_the_registry() -> None:
    upstream = "orthancteam/orthanc:1@sha256:" + "0" * 64
    assert problems_of("registry", {"needed": ["nginx", "orthanc"]}, upstream_orthanc=upstream) == []
