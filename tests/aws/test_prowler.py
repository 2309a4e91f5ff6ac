# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prowler, which looks for what is unsafe in AWS accounts, says against a stack: nothing that has no answer.

It has an environment of its own, as it pins what we pin otherwise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.aws.account import REGION, Account
from support.aws.life import SETTINGS
from support.checkout import ROOT

pytestmark = pytest.mark.long

VERSION = "5.46.0"
SERVICES = ["cloudwatch", "ec2", "elbv2", "iam", "kms", "rds", "s3", "secretsmanager", "sns", "vpc"]
# Of resources of the stack, what only the simulation has.
SIMULATED = {
    "ec2_securitygroup_not_used": "a database has no network interface",
    "rds_instance_certificate_expiration": "RDS's certificates are not described",
    "rds_instance_deprecated_engine_version": "of a major version, only the newest minor one is listed",
}


@pytest.fixture(scope="module")
def prowler() -> Path:
    """The program, installed once for each version."""
    folder = ROOT / ".cache" / f"prowler-{VERSION}"
    program = folder / "bin" / "prowler"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", f"prowler=={VERSION}"], check=True)
    return program


@pytest.fixture(scope="module")
def failed(prowler: Path, account: Account, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Of a stack with all that we recommend: what failed, muted or not."""
    account.play("provision", **SETTINGS, orthweb_instance_count=2).ok()
    folder = tmp_path_factory.mktemp("prowler")
    command = [prowler, "aws", "--region", REGION, "--services", *SERVICES, "--status", "FAIL"]
    command += ["--mutelist-file", ROOT / "files" / "prowler.yml"]
    command += ["--output-formats", "json-ocsf", "--output-directory", folder, "--output-filename", "found"]
    simulated = {
        "AWS_ENDPOINT_URL": account.url,
        "AWS_ACCESS_KEY_ID": "notreal",
        "AWS_SECRET_ACCESS_KEY": "notreal0123456789",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    environment = {**os.environ, **simulated, "HOME": str(folder)}
    done = subprocess.run(
        [*command, "--ignore-exit-code-3"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found: list[dict[str, Any]] = json.loads((folder / "found.ocsf.json").read_text())
    return found


def check(finding: dict[str, Any]) -> str:
    return str(finding["metadata"]["event_code"])


def is_muted(finding: dict[str, Any]) -> bool:
    return bool(finding["status"] == "Suppressed")


def is_of_the_stack(finding: dict[str, Any]) -> bool:
    (resource,) = finding["resources"]
    return "orthweb:stack:orthweb" in resource["labels"] or "/orthweb/" in resource["uid"]


def test_nothing_of_the_stack_is_without_an_answer(failed: list[dict[str, Any]]) -> None:
    said = {check(each): each["status_detail"] for each in failed if is_of_the_stack(each) and not is_muted(each)}
    assert {name: what for name, what in said.items() if name not in SIMULATED} == {}
    assert set(said) == set(SIMULATED)


def test_nothing_is_muted_that_is_not_said(failed: list[dict[str, Any]]) -> None:
    muted = {check(each) for each in failed if is_muted(each)}
    listed = yaml.safe_load((ROOT / "files" / "prowler.yml").read_text())["Mutelist"]["Accounts"]["*"]["Checks"]
    assert muted == set(listed)
    assert all(is_of_the_stack(each) for each in failed if is_muted(each))
