# SPDX-License-Identifier: GPL-3.0-or-later
"""``make reconcile``: the index against the storage area, after each kind of difference was made by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from support.images import associate, ct_image, is_stored
from support.rest import remove
from support.stack import Stack, docker

KINDS = ("equal", "missing", "without its object", "damaged", "shorter", "misplaced")
# As Orthanc's plugin makes them, which owns them then.
ORPHAN = "11111111-0000-4000-8000-000000000000"
WITHOUT_OBJECT = "22222222-0000-4000-8000-000000000000"
AS_ORTHANC = "SET ROLE orthanc;"  # large objects belong to who has made them
WRONG_TYPE = 77
DAMAGE = {
    "missing": "DELETE FROM storagearea WHERE uuid = '{}'",
    "without its object": "SELECT lo_unlink(content) FROM storagearea WHERE uuid = '{}'",
    "damaged": r"SELECT lo_put(content, 1000, '\x0102030405060708') FROM storagearea WHERE uuid = '{}'",
    "shorter": "SELECT lo_truncate(lo_open(content, 393216), 1000) FROM storagearea WHERE uuid = '{}'",
    "misplaced": f"UPDATE storagearea SET type = {WRONG_TYPE} WHERE uuid = '{{}}'",
}
TWO_DAYS = 2 * 24 * 60 * 60


def asked(stack: Stack, query: str) -> list[str]:
    psql = ("psql", "--username=postgres", "--dbname=orthanc", "--no-align", "--tuples-only", "--quiet")
    return docker("exec", stack.container("postgresql"), *psql, f"--command={query}").splitlines()


def found(stack: Stack) -> dict[str, tuple[str, str]]:
    """What the report on the controller has: state and SOP instance UID, by attachment."""
    report = json.loads((stack.folder / "reconcile.json").read_text())
    return {each["attachment"]: (each["state"], each["sop_instance_uid"]) for each in report["differences"]}


def let_two_days_pass(stack: Stack) -> None:
    """For orphans that have no time of their own."""
    journal = Path("/etc/orthweb", stack.name, "orphans.json")
    then = {name: since - TWO_DAYS for name, since in json.loads(journal.read_text()).items()}
    journal.write_text(json.dumps(then))


@pytest.fixture
def study(stack: Stack) -> Iterator[str]:
    study = generate_uid()
    yield study
    # Where there is no large object to remove with its row, Orthanc tries again for half a minute.
    without = "NOT EXISTS (SELECT FROM pg_largeobject_metadata m WHERE m.oid = content)"
    asked(stack, f"{AS_ORTHANC} SELECT lo_create(content) FROM storagearea WHERE {without}")
    asked(stack, f"DELETE FROM storagearea WHERE type = {WRONG_TYPE} OR uuid IN ('{ORPHAN}', '{WITHOUT_OBJECT}')")
    remove(stack, study)


def test_each_kind_is_found_and_old_orphans_are_removed(stack: Stack, study: str) -> None:
    images: dict[str, tuple[str, str]] = {}  # of each kind, its attachment and its SOP instance UID
    association = associate(stack)
    for kind in KINDS:
        image = ct_image(study)
        assert is_stored(association, image)
        identifier = f"SELECT id FROM dicomidentifiers WHERE value = '{image.SOPInstanceUID}'"
        [uuid] = asked(stack, f"SELECT uuid FROM attachedfiles WHERE filetype = 1 AND id = ({identifier})")
        images[kind] = (uuid, str(image.SOPInstanceUID))
    association.release()

    for kind, statement in DAMAGE.items():
        asked(stack, statement.format(images[kind][0]))
    [lost] = asked(stack, f"{AS_ORTHANC} SELECT lo_from_bytea(0, 'lost')")
    asked(stack, f"{AS_ORTHANC} INSERT INTO storagearea VALUES ('{ORPHAN}', lo_from_bytea(0, 'orphaned'), 1)")
    asked(stack, f"{AS_ORTHANC} INSERT INTO storagearea VALUES ('{WITHOUT_OBJECT}', 4000000000, 1)")
    [foreign] = asked(stack, "SELECT lo_from_bytea(0, 'of somebody else')")
    orphans = {ORPHAN, WITHOUT_OBJECT, f"large object {lost}"}

    # Other tests kill the archive while it stores: there may be more orphans. None of ours is a day old.
    run = stack.play("reconcile", orthanc_remove_orphans=True)
    assert run.code == 2, run.output[-3000:]
    differences = found(stack)
    state_of = {"without its object": "missing", "shorter": "damaged"}
    for kind in DAMAGE:
        uuid, uid = images[kind]
        assert differences.pop(uuid) == (state_of.get(kind, kind), uid)
    assert differences.keys() >= orphans
    assert set(differences.values()) == {("orphaned", "")}
    assert images["equal"][0] not in differences
    assert f"large object {foreign}" not in differences
    said, (damaged, uid) = " ".join(run.output.split()), images["damaged"]
    assert f"damaged: {damaged} of SOP instance {uid}, its MD5 is" in said
    assert "CompressedSamples^CT1" not in said + (stack.folder / "reconcile.json").read_text()
    assert asked(stack, f"SELECT count(*) FROM storagearea WHERE uuid IN ('{ORPHAN}', '{WITHOUT_OBJECT}')") == ["2"]

    let_two_days_pass(stack)
    run = stack.play("reconcile", orthanc_remove_orphans=True)
    assert run.code == 2, "What is missing and damaged is still there"
    assert run.output.index(ORPHAN) < run.output.index("reconcile | Remove them"), "It is named before"
    failed = run.output[run.output.index("reconcile | Fail if they are not") :]
    assert damaged in failed and ORPHAN not in failed
    assert asked(stack, f"SELECT uuid FROM storagearea WHERE uuid IN ('{ORPHAN}', '{WITHOUT_OBJECT}')") == []
    assert asked(stack, f"SELECT oid FROM pg_largeobject_metadata WHERE oid IN ({lost}, 4000000000)") == []
    assert asked(stack, f"SELECT lo_unlink({foreign})") == ["1"], "It belongs to somebody else"


def test_what_is_in_order_passes(stack: Stack) -> None:
    """After the orphans that other tests have left were removed, by the test above."""
    assert stack.play("reconcile").ok().changed == 0
    assert found(stack) == {}
    assert (stack.folder / "reconcile.json").stat().st_mode & 0o777 == 0o600
