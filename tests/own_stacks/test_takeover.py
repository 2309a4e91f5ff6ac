# SPDX-License-Identifier: GPL-3.0-or-later
"""Another version of Orthanc takes over a stack with images, and gives it back; a way without return is refused."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.filebase import DicomBytesIO
from pydicom.uid import generate_uid

from support.images import ct_image
from support.rest import rest
from support.stack import Stack, container_id, docker

pytestmark = pytest.mark.long

# Debian stable's Orthanc 1.12.7, with which stacks were deployed before.
STABLE = {"orthanc": "trixie", "nginx": "trixie", "identity": "trixie", "postgresql": "trixie", "audit": "trixie"}
BACKUPS = Path("/var/backups/orthweb/orthweb-takeover")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack("orthweb-takeover", tmp_path_factory.mktemp("takeover"), 25112, 25443, 25042)
    try:
        stack.configure(orthweb_images_suites=STABLE).ok()
        yield stack
    finally:
        stack.teardown(orthweb_confirm_teardown=stack.name).ok()
        shutil.rmtree(BACKUPS, ignore_errors=True)  # which a teardown leaves to people


def version(stack: Stack) -> str:
    return rest(stack).get(f"{stack.portal}/orthanc/system", timeout=30).json()["Version"]


def contents(stack: Stack) -> dict[str, str]:
    """Orthanc's identifier of each instance → SHA-256 of its file."""
    asked = rest(stack)
    return {
        instance: hashlib.sha256(
            asked.get(f"{stack.portal}/orthanc/instances/{instance}/file", timeout=30).content
        ).hexdigest()
        for instance in asked.get(f"{stack.portal}/orthanc/instances", timeout=30).json()
    }


def store(stack: Stack, count: int) -> None:
    study, asked = generate_uid(), rest(stack)
    for _number in range(count):
        buffer = DicomBytesIO()
        ct_image(study).save_as(buffer)
        asked.post(f"{stack.portal}/orthanc/instances", data=buffer.getvalue(), timeout=30).raise_for_status()


def revision(stack: Stack, number: int) -> None:
    query = f"UPDATE globalproperties SET value = '{number}' WHERE property = 4"
    docker("exec", stack.container("postgresql"), "psql", "--username=postgres", "--dbname=orthanc", "--command", query)


def test_there_and_back(old: Stack) -> None:
    assert version(old) == "1.12.7"
    store(old, 25)
    before = contents(old)
    assert len(before) == 25

    taken_over = old.deploy().ok()
    assert "Orthanc 1.12.7 → 1.13" in taken_over.output
    assert "and you can go back" in taken_over.output
    assert version(old) >= "1.13.0"
    assert contents(old) == before
    [backup] = BACKUPS.iterdir()
    assert backup.read_bytes().startswith(b"PGDMP")
    assert backup.stat().st_mode & 0o077 == 0
    assert old.configure().ok().changed == 0

    store(old, 5)
    before = contents(old)
    old.configure(orthweb_images_suites=STABLE).ok()
    assert version(old) == "1.12.7"
    assert contents(old) == before
    assert len(before) == 30


def test_a_database_that_the_image_cannot_read_is_refused(old: Stack) -> None:
    orthanc = container_id(old.container("orthanc"))
    revision(old, 10)
    try:
        for arguments in ([], ["--check"]):
            run = old.deploy(*arguments)
            assert run.code != 0
            said = " ".join(run.output.split())
            assert "The database has schema revision 10" in said
            assert "supports none above 1" in said
        assert container_id(old.container("orthanc")) == orthanc
    finally:
        revision(old, 1)
