# SPDX-License-Identifier: GPL-3.0-or-later
"""Molecule's scenarios, whole: what one prints stands in the report when it fails."""

from __future__ import annotations

import os

import pytest

from support.checkout import ROOT
from support.process import run

LEFT_OUT = {"rehearsal"}  # tests/rehearsal/ goes that way; once is enough
# tests/integration has a stack of all these roles and builds images, tests/aws the whole life of an account.
# default breaks nginx, identity, orthanc, postgresql and acceptance in one stack, and looks at them.
LONG = {
    "acme",
    "acceptance",
    "audit",
    "aws_alarms",
    "aws_balancer",
    "aws_controller_state",
    "aws_database",
    "aws_encryption",
    "aws_instance",
    "aws_network",
    "aws_survey",
    "container_images",
    "database_account",
    "default",
    "docker_engine",
    "identity",
    "nginx",
    "orthanc",
    "postgresql",
    "preflight",
}
SCENARIOS = sorted({path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")} - LEFT_OUT)


@pytest.mark.parametrize(
    "scenario", [pytest.param(name, marks=[pytest.mark.long] if name in LONG else []) for name in SCENARIOS]
)
def test_scenario(scenario: str) -> None:
    binaries = ROOT / ".venv" / "bin"
    path = f"{binaries}:{os.environ['PATH']}"
    done = run(
        binaries / "molecule",
        "test",
        "--scenario-name",
        scenario,
        folder=ROOT,
        environment={**os.environ, "PATH": path, "NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1"},
        merged=True,
        seconds=1500,
    )
    assert done.returncode == 0, done.stdout[-12000:]
