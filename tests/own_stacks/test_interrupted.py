# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment that is killed is finished by running it again: no hand is needed, and nothing is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stack import Stack, container_id, docker, is_running

BASE_ROOT = Path("/var/tmp/orthweb-base-image")


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with images of its own, so that they have to be built."""
    stack = Stack(
        "orthweb-cut", tmp_path_factory.mktemp("cut"), dicom_port=24112, portal_port=24443, orthanc_port=24042
    )
    stack.variables["container_images_refresh"] = f"cut off, test {time.time()}"
    yield stack
    stack.teardown(orthweb_confirm_teardown=stack.name, orthweb_remove_images=True).ok()


def role_exists(stack: Stack) -> bool:
    query = ["psql", "--username=postgres", "-Atc", "SELECT count(*) FROM pg_roles WHERE rolname = 'orthanc'"]
    return docker("exec", stack.container("postgresql"), *query) == "1"


def make_again_without_starting(container: str) -> None:
    """Put the container back to the state between `docker create` and `docker start`."""
    definition = json.loads(docker("inspect", container))[0]
    networks = {name: {} for name in definition["NetworkSettings"]["Networks"]}
    docker("rm", "--force", container)
    body = {**definition["Config"], "HostConfig": definition["HostConfig"]}
    body["NetworkingConfig"] = {"EndpointsConfig": dict(list(networks.items())[:1])}
    engine = ["curl", "--silent", "--show-error", "--fail-with-body", "--unix-socket", "/var/run/docker.sock"]
    created = subprocess.run(
        [*engine, "--json", "@-", f"http://docker/containers/create?name={container}"],
        input=json.dumps(body),
        capture_output=True,
        text=True,
        check=False,
    )
    assert created.returncode == 0, created.stdout
    assert docker("inspect", "--format", "{{.State.Status}}", container) == "created"


def builds() -> list[str]:
    """`docker build` processes for nginx."""
    found = subprocess.run(
        ["pgrep", "--full", "docker build .*orthweb/nginx"], capture_output=True, text=True, check=False
    )
    return found.stdout.split()


def images() -> set[str]:
    """The images that have a name: the stage that only compiles has none."""
    return set(docker("images", "--filter", "dangling=false", "--format", "{{.Repository}}:{{.Tag}}").splitlines())


@pytest.mark.long
def test_killed_at_every_turn(cut: Stack) -> None:
    postgresql, orthanc, nginx = (cut.container(part) for part in ("postgresql", "orthanc", "nginx"))

    # 1. The base image is half made: nothing of it is imported, and nothing stays mounted.
    before = images()
    cut.deploy_and_kill_when((BASE_ROOT / "var/lib/dpkg/info").exists)
    assert images() == before
    assert str(BASE_ROOT) not in Path("/proc/self/mounts").read_text()

    # 2. An image is half built.
    cut.deploy_and_kill_when(builds)
    assert {name.partition(":")[0] for name in images() - before} == {"orthweb/base", "orthweb/orthanc"}
    assert not BASE_ROOT.exists()

    # 3. The CA's key is there, its certificate is not.
    cut.deploy_and_kill_when((cut.pki / "ca.key").exists)
    key = (cut.pki / "ca.key").read_bytes()
    for path in cut.pki.iterdir():
        if path.name != "ca.key":
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    # 4. The database runs, its user does not exist yet.
    cut.deploy_and_kill_when(lambda: is_running(postgresql))
    database = container_id(postgresql)

    # 5. Orthanc's container was created and not started.
    cut.deploy_and_kill_when(lambda: is_running(orthanc))
    assert role_exists(cut)
    make_again_without_starting(orthanc)

    # Once more, to the end: the acceptance checks are part of it.
    cut.deploy().ok()
    assert (cut.pki / "ca.key").read_bytes() == key
    assert container_id(postgresql) == database
    assert is_running(nginx)
    assert cut.configure().ok().changed == 0
