# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated AWS API (moto, in this process) with an account in it, and modules that run against it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import requests
from ansible.module_utils.testing import patch_module_args

REGION = "eu-central-1"


def free_port() -> int:
    for port in range(5580, 5590):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)):
                return port
    raise RuntimeError("ports 5580 to 5589 are all taken")


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"moto does not answer on port {port} (exit code {server.poll()})")


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    # By itself, not in a thread: it and the modules would wait for each other.
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port, server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture
def account(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """An empty account: ``account("ec2")`` is a boto3 client."""
    requests.post(f"{moto_url}/moto-api/reset", timeout=30)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    yield lambda service: boto3.session.Session().client(service)


@pytest.fixture
def run(
    account: Any, capsys: pytest.CaptureFixture[str], new_process: Callable[[], None]
) -> Callable[..., dict[str, Any]]:
    """Run a module's ``main`` as Ansible does: ``run(module, check_mode=False, **options)`` gives its answer."""

    def run_module(module: Any, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        new_process()
        arguments = {**options, "_ansible_check_mode": check_mode, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return run_module
