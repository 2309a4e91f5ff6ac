# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of the Orthanc team, played by a stand-in that starts by its conventions: one variable chooses it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from support.rest import rest
from support.stack import Stack, docker

pytestmark = pytest.mark.long

HERE = Path(__file__).parent
SERVER = "localhost:24510"  # Docker asks for no TLS there


@pytest.fixture(scope="module")
def reference(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The stand-in in a registry, pinned by digest."""
    folder = tmp_path_factory.mktemp("registry")
    config = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": SERVER},
    }
    (folder / "config.yml").write_text(json.dumps(config))
    ours = docker("inspect", "--format", "{{.Config.Image}}", stack.container("orthanc"))
    tag = f"{SERVER}/orthancteam/orthanc:stand-in"
    with (folder / "log").open("w") as log:
        registry = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        build = ["docker", "build", "--quiet", "--build-arg", f"ORTHANC={ours}", "--tag", tag, HERE / "upstream_image"]
        subprocess.run(build, env={**os.environ, "DOCKER_BUILDKIT": "0"}, capture_output=True, check=True)
        wait_for_registry()
        docker("push", "--quiet", tag)
        found = docker("image", "inspect", "--format", "{{index .RepoDigests 0}}", tag)
        docker("image", "rm", "--no-prune", tag)
        yield found
        docker("image", "rm", found, check=False)
    finally:
        registry.terminate()
        registry.wait(timeout=20)


def wait_for_registry() -> None:
    end = time.monotonic() + 20
    while True:
        try:
            with urlopen(f"http://{SERVER}/v2/", timeout=5):
                return
        except OSError:
            assert time.monotonic() < end, "The registry did not start"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def upstream(reference: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack("orthweb-upstream", tmp_path_factory.mktemp("upstream"), 26112, 26443, 26042)
    stack.variables["orthweb_images_upstream_orthanc"] = reference
    try:
        stack.deploy().ok()  # the acceptance checks are part of it
        yield stack
    finally:
        stack.teardown(orthweb_confirm_teardown=stack.name).ok()


def test_it_runs_by_its_own_conventions(upstream: Stack, reference: str) -> None:
    assert docker("inspect", "--format", "{{.Config.Image}}", upstream.container("orthanc")) == reference
    plugins = rest(upstream).get(f"{upstream.portal}/orthanc/plugins", timeout=30).json()
    assert {"postgresql-index", "postgresql-storage", "dicom-web", "gdcm"} <= set(plugins)
    merged = json.loads(docker("exec", upstream.container("orthanc"), "cat", "/tmp/orthanc.json"))
    assert merged["PostgreSQL"]["TransactionMode"] == "ReadCommitted"
    assert merged["OrthancExplorer2"]["Enable"] is True


def test_a_second_run_changes_nothing(upstream: Stack) -> None:
    assert upstream.configure().ok().changed == 0


def test_it_is_restarted_after_its_database(upstream: Stack) -> None:
    """Its plugin would refuse an image for each connection that it does not know to be dead."""
    container = upstream.container("orthanc")
    before = docker("inspect", "--format", "{{.State.StartedAt}}", container)
    docker("restart", upstream.container("postgresql"))
    upstream.configure().ok()
    after = docker("inspect", "--format", "{{.State.StartedAt}}", container)
    assert after > before
    assert upstream.configure().ok().changed == 0
    assert docker("inspect", "--format", "{{.State.StartedAt}}", container) == after


def test_no_secret_is_in_its_log(upstream: Stack) -> None:
    said = docker("logs", upstream.container("orthanc"))
    assert [secret for secret in upstream.secrets if secret in said] == []


def test_it_is_not_saved(upstream: Stack, tmp_path: Path) -> None:
    run = upstream.play("save_images", orthweb_images_archive=str(tmp_path / "images.tar.gz"))
    assert run.code != 0
    assert "an archive does not keep" in " ".join(run.output.split())
