# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cellcs.orthweb.plugins.plugin_utils.aws_checks.systems_manager import (
    PROGRAMS,
    agent_problems,
    program_problems,
)

HOSTS = [{"name": "clinic-imaging-2"}, {"name": "clinic-imaging-1"}]
CORE = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"


@pytest.mark.parametrize("there", [[], ["aws"], ["session-manager-plugin"], sorted(PROGRAMS)])
def test_a_program_that_ssh_would_call_and_the_controller_lacks(
    there: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in there:
        (tmp_path / name).touch(mode=0o755)
    said = list(program_problems("systems_manager"))
    assert [sentence.split()[4] for sentence in said] == [name for name in PROGRAMS if name not in there]
    assert all("Install it (https://docs.aws.amazon.com/" in sentence for sentence in said)
    assert list(program_problems("public")) == []


def role(name: str, *policies: str) -> dict[str, Any]:
    return {"name": name, "managed_policies": list(policies)}


@pytest.mark.parametrize(
    ("roles", "hosts", "refused"),
    [
        ([role("clinic-imaging", CORE)], HOSTS, False),
        ([role("clinic-imaging")], [], False),
        ([], [], False),
        ([role("clinic-imaging")], HOSTS, True),
        ([role("clinic-imaging", "arn:aws:iam::aws:policy/ReadOnlyAccess"), role("other", CORE)], HOSTS, True),
        ([{"name": "clinic-imaging"}], HOSTS, True),
    ],
)
def test_hosts_that_were_made_without_an_agent(
    roles: list[dict[str, Any]], hosts: list[dict[str, Any]], refused: bool
) -> None:
    said = list(agent_problems("systems_manager", hosts, roles, "clinic-imaging"))
    assert len(said) == refused
    assert all("clinic-imaging-1, clinic-imaging-2 has no agent" in each for each in said)
    assert list(agent_problems("public", hosts, roles, "clinic-imaging")) == []
