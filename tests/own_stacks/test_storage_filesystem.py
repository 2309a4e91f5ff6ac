# SPDX-License-Identifier: GPL-3.0-or-later
"""``orthweb_storage: filesystem``: the index in PostgreSQL, each image a file in Orthanc's volume."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from support import process
from support.checkout import PLAYBOOK, ROOT
from support.images import associate, ct_image, fetch, is_stored
from support.ledger import kill_while_images_arrive
from support.rest import remove
from support.stack import Stack, container_id, docker, wait_until_healthy

pytestmark = pytest.mark.long

STORAGE = "/var/lib/orthanc/storage"
VERIFY = "cellcs.orthweb.orthanc_storage_verify"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack("orthweb-files", tmp_path_factory.mktemp("state"), 22116, 22446, 22046)
    stack.variables["orthweb_storage"] = "filesystem"
    try:
        yield stack
    finally:
        stack.teardown(orthweb_confirm_teardown=stack.name).ok()
        left = [
            docker(kind, "ls", "--quiet", "--filter", f"name={stack.name}")
            for kind in ("container", "network", "volume")
        ]
        assert left == ["", "", ""], left
        assert not stack.folder.exists()
        assert not Path("/etc/orthweb", stack.name).exists()


def select(stack: Stack, query: str) -> list[str]:
    psql = ["psql", "--username=postgres", "--dbname=orthanc", "--no-align", "--tuples-only"]
    return docker("exec", stack.container("postgresql"), *psql, f"--command={query}").splitlines()


def on_disk(stack: Stack) -> dict[str, tuple[int, str]]:
    """Size and owner of each file in the storage area, by its path there."""
    found = docker("exec", stack.container("orthanc"), "find", STORAGE, "-type", "f", "-printf", "%P|%s|%U\n")
    return {path: (int(size), owner) for path, size, owner in (line.split("|") for line in found.splitlines())}


def in_index(stack: Stack) -> dict[str, int]:
    rows = (line.split("|") for line in select(stack, "SELECT uuid, compressedsize FROM attachedfiles"))
    return {f"{uuid[:2]}/{uuid[2:4]}/{uuid}": int(size) for uuid, size in rows}


def look(stack: Stack, uid: str, **options: object) -> tuple[int, str]:
    """Run the module that the acceptance looks with."""
    psql = ["docker", "exec", stack.container("postgresql"), "psql", "--username=postgres", "--dbname=orthanc"]
    arguments = {"instances": [uid], "storage": "filesystem", "psql": psql, "container": stack.container("orthanc")}
    command = [PLAYBOOK.with_name("ansible"), "localhost", "--module-name", VERIFY]
    command += ["--args", json.dumps({**arguments, **options})]
    done = process.run(*command, folder=ROOT, environment=stack.environment, merged=True)
    return done.returncode, done.stdout


def test_it_is_deployed_and_proved(files: Stack) -> None:
    ran = files.deploy().ok()
    assert "Check the index entry and the bytes of each in Orthanc's storage" in ran.output
    assert select(files, "SELECT to_regclass('storagearea') IS NULL") == ["t"]
    assert on_disk(files) == {}, "The acceptance has removed what it stored"
    assert select(files, "SELECT count(*) FROM attachedfiles") == ["0"]


def test_an_image_is_a_file_that_the_index_names(files: Stack) -> None:
    image = ct_image(generate_uid())
    association = associate(files)
    assert is_stored(association, image)
    association.release()
    [(path, (size, owner))] = on_disk(files).items()
    assert in_index(files) == {path: size}
    assert owner == "8042"
    assert docker("exec", files.container("orthanc"), "stat", "--format=%a", "/var/lib/orthanc") == "750"

    uid, uuid = image.SOPInstanceUID, path.rpartition("/")[2]
    assert look(files, uid)[0] == 0
    docker("exec", files.container("orthanc"), "truncate", "--size=-1", f"{STORAGE}/{path}")
    code, said = look(files, uid)
    assert code != 0
    assert f"{uuid} has {size - 1} bytes" in said
    docker("exec", files.container("orthanc"), "mv", f"{STORAGE}/{path}", f"{STORAGE}/kept")
    code, said = look(files, uid)
    assert code != 0
    assert f"{uuid} is not in {files.container('orthanc')}:{STORAGE}" in said
    docker("exec", files.container("orthanc"), "mv", f"{STORAGE}/kept", f"{STORAGE}/{path}")

    code, said = look(files, uid, expect="gone", attachments=[uuid])
    assert code != 0
    assert "still has an entry in the index" in said
    remove(files, uid)
    assert on_disk(files) == {}
    assert look(files, uid, expect="gone", attachments=[uuid])[0] == 0


@pytest.mark.parametrize("part", ["orthanc", "postgresql"])
def test_killed_while_images_arrive(files: Stack, part: str) -> None:
    kill_while_images_arrive(files, part)
    kept = on_disk(files)
    assert {path: kept[path][0] for path in in_index(files)} == in_index(files)


def test_files_that_nobody_knows_are_found(files: Stack) -> None:
    """As docs/storage.md says it."""
    stranger = "00000000-0000-4000-8000-000000000000"
    docker("exec", files.container("orthanc"), "touch", f"{STORAGE}/{stranger}")
    find = f"docker exec {files.container('orthanc')} find {STORAGE} -type f -printf '%f\\n'"
    psql = f"docker exec {files.container('postgresql')} psql --username=postgres --dbname=orthanc"
    query = "--tuples-only --no-align --command='SELECT uuid FROM attachedfiles'"
    command = f"comm -23 <({find} | sort) <({psql} {query} | sort)"
    said = process.output_of("bash", "-c", command).split()
    docker("exec", files.container("orthanc"), "rm", f"{STORAGE}/{stranger}")
    assert stranger in said
    assert {path.rpartition("/")[2] for path in on_disk(files).keys() - in_index(files).keys()} == set(said) - {
        stranger
    }


def test_index_and_files_are_reconciled(files: Stack) -> None:
    image = ct_image(generate_uid())
    association = associate(files)
    assert is_stored(association, image)
    association.release()
    orthanc, orphan = files.container("orthanc"), "11111111-0000-4000-8000-000000000000"
    identifier = f"SELECT id FROM dicomidentifiers WHERE value = '{image.SOPInstanceUID}'"
    [uuid] = select(files, f"SELECT uuid FROM attachedfiles WHERE filetype = 1 AND id = ({identifier})")
    path = f"{STORAGE}/{uuid[:2]}/{uuid[2:4]}/{uuid}"
    left = f"{STORAGE}/11/11/{orphan}"
    docker("exec", orthanc, "mkdir", "--parents", f"{STORAGE}/11/11")
    docker("exec", orthanc, "touch", "--date=2 days ago", left)
    docker("exec", orthanc, "sh", "-c", f"printf x | dd of={path} bs=1 seek=1000 conv=notrunc")

    run = files.play("reconcile", orthanc_remove_orphans=True)
    assert run.code == 2
    failed = " ".join(run.output[run.output.index("reconcile | Fail if they are not") :].split())
    assert f"of SOP instance {image.SOPInstanceUID}, its MD5 is" in failed
    assert orphan in run.output and orphan not in failed
    assert path in {f"{STORAGE}/{each}" for each in on_disk(files)}
    assert left not in {f"{STORAGE}/{each}" for each in on_disk(files)}
    remove(files, image.StudyInstanceUID)


def test_back_up_and_restore(files: Stack, tmp_path: Path) -> None:
    """As docs/storage.md says it: the database, then the files; the files, then the database."""
    image = ct_image(generate_uid())
    association = associate(files)
    assert is_stored(association, image)
    association.release()
    orthanc, postgresql = files.container("orthanc"), files.container("postgresql")

    def run(command: str) -> None:
        process.output_of("bash", "-c", command, folder=tmp_path, seconds=300)

    run(f"docker exec {postgresql} pg_dump --username=postgres --format=custom orthanc > orthanc.dump")
    run(f"docker exec {orthanc} tar --create --directory=/var/lib/orthanc storage > orthanc-files.tar")
    remove(files, image.SOPInstanceUID)
    assert in_index(files).keys() <= on_disk(files).keys()
    run(f"docker exec --interactive {orthanc} tar --extract --directory=/var/lib/orthanc < orthanc-files.tar")
    docker("stop", orthanc)
    restore = "pg_restore --username=postgres --dbname=orthanc --clean --if-exists --exit-on-error"
    run(f"docker exec --interactive {postgresql} {restore} < orthanc.dump")
    docker("start", orthanc)
    wait_until_healthy(orthanc)
    assert fetch(files, image.SOPInstanceUID) == image
    assert look(files, image.SOPInstanceUID)[0] == 0


def test_a_second_run_changes_nothing(files: Stack) -> None:
    before = container_id(files.container("orthanc"))
    again = files.deploy().ok()
    assert again.changes == []
    assert container_id(files.container("orthanc")) == before


def test_the_storage_is_not_changed_under_images(files: Stack) -> None:
    image = ct_image(generate_uid())
    association = associate(files)
    assert is_stored(association, image)
    association.release()
    before = container_id(files.container("orthanc"))
    refused = files.deploy(orthweb_storage="database")
    assert refused.code != 0
    assert 'stores its images in "filesystem", but orthweb_storage is now "database"' in " ".join(
        refused.output.split()
    )
    assert container_id(files.container("orthanc")) == before
    assert fetch(files, image.SOPInstanceUID) == image
