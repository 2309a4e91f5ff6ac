# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded database: what disturbs it, and what does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from support.images import associate, ct_image, fetch, is_stored
from support.process import run
from support.rest import remove
from support.stack import Stack, docker, wait_until_healthy

# Outlives the `docker exec` that started it, and ends with an error.
ORPHAN = "(sleep 1; exit 3) >/dev/null 2>&1 &"


def asked(stack: Stack, query: str) -> str:
    psql = ("psql", "--username=postgres", "--dbname=orthanc", "--no-align", "--tuples-only", f"--command={query}")
    return docker("exec", stack.container("postgresql"), *psql).strip()


def test_a_foreign_process_that_fails_disconnects_nobody(stack: Stack) -> None:
    """The server takes a child that it does not know for a crashed one, and restarts all of its processes."""
    sessions = "SELECT pid FROM pg_stat_activity WHERE usename IS NOT NULL AND pid <> pg_backend_pid() ORDER BY pid"
    before = asked(stack, sessions)
    docker("exec", stack.container("postgresql"), "bash", "-c", ORPHAN)
    time.sleep(3)
    assert before, "Nobody was connected: this run proves nothing"
    assert asked(stack, sessions) == before


def health(container: str) -> tuple[str, str]:
    """What Docker takes it for, and what the last checks said."""
    said = docker(
        "inspect", "--format", "{{.State.Health.Status}}{{range .State.Health.Log}} {{.Output}}{{end}}", container
    )
    status, _space, checks = said.partition(" ")
    return status, checks


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.5)


def is_ready(container: str) -> bool:
    return run("docker", "exec", container, "pg_isready", "--quiet", "--host=/run/postgresql").returncode == 0


def test_a_server_that_only_reads_is_not_healthy(stack: Stack) -> None:
    """A standby, or one that has replayed a backup and waits: Orthanc would end, as nothing can be stored."""
    container = stack.container("postgresql")
    docker("exec", container, "touch", "/var/lib/postgresql/data/17/standby.signal")
    docker("restart", container)
    try:
        wait_until(lambda: is_ready(container))
        wait_until(lambda: "is in recovery and takes no writes" in health(container)[1])
        assert health(container)[0] == "starting"
    finally:
        wait_until(lambda: is_ready(container))
        assert asked(stack, "SELECT pg_promote()") == "t"
    wait_until_healthy(container)
    assert asked(stack, "SELECT pg_is_in_recovery()") == "f"


@pytest.fixture
def restarted(stack: Stack) -> Callable[[], None]:
    """Restart the database; whoever was connected to it finds out when it is there again."""

    def restart() -> None:
        container = stack.container("postgresql")
        docker("restart", container)
        wait_until(lambda: is_ready(container))

    return restart


@pytest.fixture
def image(stack: Stack) -> Iterator[Dataset]:
    image = ct_image(generate_uid())
    yield image
    remove(stack, image.StudyInstanceUID)


def test_the_first_image_after_a_restart_is_stored(stack: Stack, restarted: Callable[[], None], image: Dataset) -> None:
    """Over each of the associations that Orthanc serves at a time."""
    images = [image, *(ct_image(image.StudyInstanceUID) for _other in range(3))]
    associations = [associate(stack) for _image in images]
    assert is_stored(associations[0], ct_image(image.StudyInstanceUID))
    restarted()
    with ThreadPoolExecutor(len(images)) as pool:
        stored = list(pool.map(is_stored, associations, images))
    for association in associations:
        association.release()
    assert stored == [True] * len(images)
    for each in images:
        assert fetch(stack, each.SOPInstanceUID).PixelData == each.PixelData


def test_the_first_image_that_is_read_comes(stack: Stack, restarted: Callable[[], None], image: Dataset) -> None:
    association = associate(stack)
    assert is_stored(association, image)
    association.release()
    # Under a name that Orthanc has not in its cache, it is read from the storage area.
    identifier = f"SELECT id FROM dicomidentifiers WHERE value = '{image.SOPInstanceUID}'"
    [uuid] = asked(stack, f"SELECT uuid FROM attachedfiles WHERE filetype = 1 AND id = ({identifier})").splitlines()
    other = uuid4()
    for table in ("attachedfiles", "storagearea"):
        asked(stack, f"UPDATE {table} SET uuid = '{other}' WHERE uuid = '{uuid}'")
    restarted()
    assert fetch(stack, image.SOPInstanceUID).PixelData == image.PixelData


def test_the_first_image_that_is_removed_is_gone(stack: Stack, restarted: Callable[[], None], image: Dataset) -> None:
    """From the storage area, too."""
    count = "SELECT count(*) FROM storagearea"
    before = asked(stack, count)
    association = associate(stack)
    assert is_stored(association, image)
    association.release()
    assert asked(stack, count) != before
    restarted()
    remove(stack, image.StudyInstanceUID)
    wait_until(lambda: asked(stack, count) == before)


@pytest.mark.long
def test_the_checks_pass_after_the_container_was_replaced(stack: Stack) -> None:
    """Under an Orthanc that goes on running: no check sends an image a second time."""
    orthanc = stack.container("orthanc")
    before = docker("inspect", "--format", "{{.State.StartedAt}}", orthanc)
    docker("rm", "--force", stack.container("postgresql"))
    run = stack.deploy().ok()
    assert f"Start {stack.container('postgresql')}" in " ".join(run.changes)
    assert docker("inspect", "--format", "{{.State.StartedAt}}", orthanc) == before
