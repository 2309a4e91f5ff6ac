# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules are run in this process as Ansible runs them in one of their own; a simulated AWS API beside it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from ansible.module_utils import _internal, basic
from ansible.module_utils.common import warnings
from hypothesis import settings

# For make test-unit. A test that needs more or fewer examples than others takes a multiple of the profile's number.
settings.register_profile("quick", max_examples=15)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that needs programs which are not here says so: it is skipped, but not where all must be seen green."""
    needed = [program for mark in item.iter_markers("needs") for program in mark.args]
    missing = [program for program in needed if not shutil.which(program)]
    if missing:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"not on this machine: {', '.join(missing)} (tests/prepare.yml installs it)")


@pytest.fixture(autouse=True, scope="session")
def _without_fsync() -> Iterator[None]:
    """Nothing that a test writes has to outlast a power cut, and the disk takes longer than the tests."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _descriptor: None)
        yield


@pytest.fixture
def new_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """``new_process()`` forgets what tests before have left: options, warnings, deprecations, a controller's code.

    Where a controller's code was imported, warnings are printed instead of returned.
    """

    def forget() -> None:
        monkeypatch.setattr(basic, "_PARSED_MODULE_ARGS", None, raising=False)
        monkeypatch.setattr(warnings, "_global_warnings", {})
        monkeypatch.setattr(warnings, "_global_deprecations", {})
        monkeypatch.setattr(_internal, "is_controller", False)

    return forget


# The one image that the simulated AWS has. It has over a thousand of its own, which it makes anew for each test.
IMAGE = {
    "ami_id": "ami-03cf127a",
    "name": "debian-12-amd64",
    "architecture": "x86_64",
    "owner_id": "136693071363",
    "public": True,
    "root_device_type": "ebs",
    "virtualization_type": "hvm",
}


# moto has no versions and no maintenance of RDS.
SERVER = """
from moto.core.responses import ActionResult
from moto.rds.responses import RDSResponse
from moto.server import main

RDSResponse.describe_db_engine_versions = lambda self: ActionResult({"DBEngineVersions": []})
RDSResponse.describe_pending_maintenance_actions = lambda self: ActionResult({"PendingMaintenanceActions": []})
main()
"""


def free_port() -> int:
    """One that nobody else is given, as tests run in several processes."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
    return port


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"moto does not answer on port {port} (exit code {server.poll()})")


@pytest.fixture(scope="session")
def moto_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    images = tmp_path_factory.mktemp("moto") / "images.json"
    images.write_text(json.dumps([IMAGE]))
    command = [sys.executable, "-c", SERVER, "-H", "127.0.0.1", "-p", str(port)]
    # By itself, not in a thread: it and the modules would wait for each other.
    environment = {**os.environ, "MOTO_AMIS_PATH": str(images)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port, server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
