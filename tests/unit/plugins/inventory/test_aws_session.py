# SPDX-License-Identifier: GPL-3.0-or-later
"""Without credentials, without a region, with expired ones: one sentence, whatever reads the inventory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.cellcs.orthweb.plugins.inventory import aws_session

from support.aws.account import free_port
from support.aws.proxy import Fault, Proxy
from support.checkout import COLLECTIONS, ROOT

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
REGION = {"AWS_REGION": "eu-central-1"}
NO_CREDENTIALS = "no AWS credentials were found. Set them in the environment (AWS_ACCESS_KEY_ID and"
EXPIRED = Fault("sts:GetCallerIdentity", "ExpiredToken", "The security token included in the request is expired", 403)


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A controller on which nothing is set."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    (tmp_path / "config").write_text(
        "[profile sso]\nregion = eu-central-1\nsso_start_url = https://clinic.example\n"
        "sso_region = eu-central-1\nsso_account_id = 123456789012\nsso_role_name = imaging\n"
    )
    return tmp_path


@pytest.fixture
def expired(nobody: Path, moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with Proxy(free_port(), moto_url, EXPIRED) as proxy:
        for name, value in {**KEYS, **REGION, "AWS_ENDPOINT_URL": proxy.url}.items():
            monkeypatch.setenv(name, value)
        yield


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        (KEYS, "No AWS region is set."),
        ({}, "No AWS region is set."),
        (REGION, NO_CREDENTIALS),
        ({**REGION, "AWS_ACCESS_KEY_ID": "x"}, "cannot be used (Partial credentials found in env"),
        ({"AWS_PROFILE": "sso"}, "With SSO, run 'aws sso login'"),
        ({"AWS_PROFILE": "clinci"}, "cannot be read from the profile: The config profile (clinci) could not be found"),
        ({**REGION, "AWS_PROFILE": "clinci"}, "cannot be used (The config profile (clinci) could not be found). With"),
    ],
)
def test_what_is_missing(nobody: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], says: str) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    problem = aws_session.session_problem()
    assert says in problem
    assert "\n" not in problem


def test_expired(expired: None) -> None:
    assert aws_session.session_problem() == (
        "Asking AWS who we are: AWS does not accept these credentials (An error occurred (ExpiredToken) when "
        "calling the GetCallerIdentity operation: The security token included in the request is expired). If they "
        "expired, sign in and try again."
    )


def test_what_works_is_silent(nobody: Path, moto_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**KEYS, **REGION, "AWS_ENDPOINT_URL": moto_url}.items():
        monkeypatch.setenv(name, value)
    assert aws_session.session_problem() == ""


def test_no_answer_is_left_to_the_other_sources(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They need more than this one, and say what they could not reach."""
    for name, value in {**KEYS, **REGION, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}.items():
        monkeypatch.setenv(name, value)
    assert aws_session.session_problem() == ""


@pytest.mark.slow
def test_the_whole_inventory_says_nothing_else(nobody: Path) -> None:
    """Whatever Ansible would do about a source that it cannot read: this is without make."""
    environment = {**os.environ, **REGION, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)}
    program = Path(sys.executable).with_name("ansible-inventory")
    ran = subprocess.run(
        [program, "-i", "inventory/aws", "--graph"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    [line] = ran.stderr.splitlines()
    assert NO_CREDENTIALS in line


def test_it_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in which the credentials expire goes on to say what there is now."""
    answers = iter([""])
    monkeypatch.setattr(aws_session, "session_problem", lambda: next(answers))
    monkeypatch.setattr(aws_session, "checked", [])
    monkeypatch.setattr(aws_session.InventoryModule, "_read_config_data", lambda self, path: {})
    for _each in range(2):
        aws_session.InventoryModule().parse(None, None, "inventory/aws/aws_session.yml")
    assert next(answers, None) is None
