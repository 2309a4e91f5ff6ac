# SPDX-License-Identifier: GPL-3.0-or-later
"""An account of a simulated AWS API, and modules that run against it."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import botocore.session
import pytest
import requests
from ansible.module_utils.testing import patch_module_args

REGION = "eu-central-1"


@pytest.fixture(scope="session", autouse=True)
def service_models() -> Iterator[None]:
    """Read the description of each AWS service once; each session of boto3 would anew, EC2's in half a second."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))
        yield


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
