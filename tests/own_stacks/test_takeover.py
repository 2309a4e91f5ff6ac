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

from support.database_alone import sql
from support.images import associate, ct_image, fetch, is_stored
from support.ledger import Modality
from support.process import said_by
from support.rest import rest
from support.stack import Stack, container_id, docker

pytestmark = pytest.mark.long

# Debian stable's Orthanc 1.12.7, with which stacks were deployed before.
STABLE = dict.fromkeys(("orthanc", "nginx", "identity", "postgresql", "audit", "backup", "acme"), "trixie")
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


def test_no_upgrade_without_a_backup(old: Stack) -> None:
    orthanc = container_id(old.container("orthanc"))
    refused = old.play("upgrade")
    assert refused.code != 0
    assert "there is no repository for a backup" in " ".join(refused.output.split())
    assert container_id(old.container("orthanc")) == orthanc


def test_an_upgrade_loses_nothing(old: Stack, folder: Path) -> None:
    """And neither does the way back. A modality sends meanwhile, and again what was not acknowledged."""
    old.variables["orthweb_backup_repositories"] = [{"name": "nas", "type": "folder", "path": str(folder)}]
    old.configure(orthweb_images_suites=STABLE).ok()
    assert version(old) == "1.12.7"
    before = contents(old)

    modality = Modality(old, generate_uid())
    modality.start()
    try:
        upgraded = old.play("upgrade").ok()
        assert version(old) >= "1.13.0"
        old.configure(orthweb_images_suites=STABLE).ok()
    finally:
        modality.end.set()
        modality.join()
    assert version(old) == "1.12.7"
    said = " ".join(upgraded.output.split())
    for step in (
        "Incremental backup",
        "0 missing, 0 damaged",
        "Orthanc 1.12.7 → 1.13",
        "The archive holds",
        "Check out version 0.1.0, and run make deploy. The database can stay as it is.",
        "each image that the index names is there",
    ):
        assert step in said
    after = contents(old)
    assert len(modality.acknowledged) > 20 and not modality.refused
    assert {each: after[each] for each in before} == before
    assert len(after) == len(before) + len(modality.acknowledged)
    for uid, pixels in modality.acknowledged.items():
        assert fetch(old, uid).PixelData == pixels


def test_what_was_lost_is_brought_back(old: Stack) -> None:
    """From the newest backup; and Orthanc, which owns it again, can remove it."""
    old.play("backup").ok()
    before = contents(old)
    lost, damaged = sql(old, "SELECT uuid FROM storagearea WHERE type = 1 LIMIT 2", database="orthanc")
    sql(
        old,
        f"DELETE FROM storagearea WHERE uuid = '{lost}'",
        f"SELECT lo_put(content, 200, 'x') FROM storagearea WHERE uuid = '{damaged}'",
        database="orthanc",
    )
    found = old.play("reconcile")
    assert found.code != 0 and f"missing: {lost}" in found.output and f"damaged: {damaged}" in found.output
    brought = old.play("reconcile", orthanc_bring_from_backup=True).ok()
    assert brought.changed == 1
    assert contents(old) == before

    asked, orthanc = rest(old), f"{old.portal}/orthanc"
    for study in asked.get(f"{orthanc}/studies", timeout=30).json():
        asked.delete(f"{orthanc}/studies/{study}", timeout=60).raise_for_status()
    assert sql(old, "SELECT count(*) FROM storagearea", database="orthanc") == ["0"]


def test_images_are_refused_before_the_disk_is_full(old: Stack) -> None:
    """As if all that is free were reserved. What is there can be read."""
    image = ct_image(generate_uid())
    association = associate(old)
    assert is_stored(association, image)
    old.configure("--tags", "orthanc", orthweb_images_suites=STABLE, orthanc_reserved_mb=10**9).ok()
    assert fetch(old, image.SOPInstanceUID).PixelData == image.PixelData
    association, another = associate(old), ct_image(generate_uid())
    assert association.send_c_store(another).Status == 0xA700
    association.release()
    buffer = DicomBytesIO()
    another.save_as(buffer)
    answer = rest(old).post(f"{old.portal}/orthanc/instances", data=buffer.getvalue(), timeout=30)
    assert (answer.status_code, answer.json()["OrthancStatus"]) == (500, 19)  # CannotWriteFile
    said = said_by("docker", "logs", "--tail", "200", old.container("orthanc"))
    assert said.count("1000000000 MB are reserved. Make room there") == 1, "Once a minute"
    old.configure("--tags", "orthanc", orthweb_images_suites=STABLE).ok()
    association = associate(old)
    assert is_stored(association, another)
    association.release()


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
