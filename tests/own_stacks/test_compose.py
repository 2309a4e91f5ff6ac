# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make compose` writes, run by Debian's docker compose: the same archive, proved as any deployment is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from support.images import associate, ct_image, fetch, is_stored
from support.stack import Stack, docker

pytestmark = pytest.mark.long

PLUGIN = "usr/libexec/docker/cli-plugins/docker-compose"
# Debian 12 has none: that of Debian 13 works there, too, and is taken from its package.
FETCH = f"""
cd /tmp && apt-get -qq update && apt-get -qq download docker-compose && dpkg-deb --extract docker-compose_*.deb x
cp --preserve=mode x/{PLUGIN} /out/
"""
PARTS = ("nginx", "identity", "audit", "orthanc", "postgresql")


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which `docker compose` is Debian's."""
    plugins = tmp_path_factory.mktemp("docker") / "cli-plugins"
    plugins.mkdir()
    if Path(f"/{PLUGIN}").exists():
        shutil.copy(f"/{PLUGIN}", plugins)
    else:
        bases = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "orthweb/base").splitlines()
        [base, *_older] = [base for base in bases if ":trixie-" in base]
        docker("run", "--rm", "--volume", f"{plugins}:/out", base, "bash", "-ec", FETCH)
    environment = {**os.environ, "DOCKER_CONFIG": str(plugins.parent)}
    said = subprocess.run(["docker", "compose", "version"], env=environment, capture_output=True, text=True, check=True)
    assert "version 2." in said.stdout, said.stdout
    return environment


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that was never deployed, with all that `make compose` writes of it."""
    stack = Stack("orthweb-compose", tmp_path_factory.mktemp("state"), 25112, 25443, 25042)
    try:
        stack.play("compose").ok()
        yield stack
    finally:
        stack.teardown(orthweb_confirm_teardown=stack.name).ok()


def folder_of(stack: Stack) -> Path:
    return Path("/etc/orthweb") / stack.name / "compose"


def run(stack: Stack, environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        ["docker", "compose", *arguments],
        cwd=folder_of(stack),
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def containers(stack: Stack) -> str:
    return docker("ps", "--all", "--quiet", "--filter", f"name={stack.name}-")


def test_secrets_are_for_their_container_alone(written: Stack) -> None:
    folder = folder_of(written)
    assert folder.stat().st_mode & 0o777 == 0o700
    secrets = [secret.encode() for secret in written.secrets]
    holders = [file for file in folder.rglob("*") if file.is_file() and any(s in file.read_bytes() for s in secrets)]
    assert holders
    keys = [file for file in folder.rglob("*.pem") if b"PRIVATE KEY" in file.read_bytes()]
    assert len(keys) == 4
    for file in (*holders, *keys):
        assert file.stat().st_mode & 0o777 == 0o400, file
        assert file.stat().st_uid in (5432, 8042, 11112, 11114), file
    assert len((folder / "README.md").read_text().splitlines()) <= 12


def test_nothing_runs_and_a_second_time_changes_nothing(written: Stack) -> None:
    assert containers(written) == ""
    assert written.play("compose").ok().changes == []


def of_container(container: str) -> dict[str, object]:
    """What matters of a container, however it was made."""
    found = json.loads(docker("inspect", container))[0]
    host, config = found["HostConfig"], found["Config"]
    of_host = ("Memory", "MemorySwap", "PidsLimit", "ReadonlyRootfs", "CapDrop", "SecurityOpt", "ShmSize", "Sysctls")
    return {
        **{name: host.get(name) or None for name in (*of_host, "Ulimits", "Dns", "PortBindings")},
        **{name: config.get(name) for name in ("User", "Image", "StopTimeout", "Healthcheck")},
        "RestartPolicy": host["RestartPolicy"]["Name"],
        "Env": sorted(config["Env"]),
        "Networks": sorted(found["NetworkSettings"]["Networks"]),
        "Volumes": sorted(each["Destination"] for each in found["Mounts"] if each["Destination"] != "/run/postgresql"),
    }


def test_it_is_the_archive_that_would_be_deployed(written: Stack, compose: dict[str, str]) -> None:
    run(written, compose, "up", "--detach", "--wait", "nginx", "orthanc")
    by_compose = {part: of_container(written.container(part)) for part in PARTS}
    written.play("verify").ok()
    image = ct_image(generate_uid())
    association = associate(written)
    assert is_stored(association, image)
    association.release()
    # Down and up: what was stored is there.
    run(written, compose, "down")
    assert containers(written) == ""
    run(written, compose, "up", "--detach", "--wait", "nginx", "orthanc")
    assert fetch(written, image.SOPInstanceUID).SOPInstanceUID == image.SOPInstanceUID
    run(written, compose, "down")
    # And a deployment takes it over, in the same containers.
    written.deploy().ok()
    assert {part: of_container(written.container(part)) for part in PARTS} == by_compose
    assert fetch(written, image.SOPInstanceUID).SOPInstanceUID == image.SOPInstanceUID
