# SPDX-License-Identifier: GPL-3.0-or-later
"""README's commands are there, and they are those that continuous integration runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from support.checkout import ROOT
from support.stack import Stack

PAGES = sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md"))


def make_targets(text: str) -> list[str]:
    """``make deploy     # why`` in a shell, after ``cd there &&`` or ``NAME=value`` too: ``deploy``."""
    return re.findall(r"^(?:.*&& |[A-Z_]+=\S+ )*make (?:-s )?([a-z-]+)", text, flags=re.MULTILINE)


def dry_run(target: str) -> str:
    environment = {name: os.environ[name] for name in ("HOME", "PATH")}  # not that of the make that runs the tests
    command = ["make", "--dry-run", "--always-make", target]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def two_commands() -> list[str]:
    section = (ROOT / "README.md").read_text().split("## Two commands")[1].split("\n## ")[0]
    return make_targets(re.findall(r"```bash\n(.*?)```", section, flags=re.DOTALL)[0])


def run_by_workflow() -> list[str]:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    return [
        target
        for job in workflow["jobs"].values()
        for step in job["steps"]
        for target in make_targets(step.get("run", ""))
    ]


def test_ci_ends_with_the_second_command() -> None:
    test = two_commands()[1]
    *before, last = make_targets((ROOT / ".ci" / "run").read_text())
    assert last == test
    assert "lint" in before
    for target in set(before) - {"lint"}:  # no more than what the second command begins with
        assert dry_run(test).startswith(dry_run(target)), target


def test_the_workflow_runs_it_too() -> None:
    assert run_by_workflow() == ["lint", two_commands()[1]]


def test_the_first_command_runs_what_the_second_tests(tmp_path: Path) -> None:
    [command] = [line for line in dry_run(two_commands()[0]).splitlines() if "ansible-playbook" in line]
    inventory, playbook = shlex.split(command)[-2:]
    tested = Stack("none", tmp_path, dicom_port=0, portal_port=0, orthanc_port=0).command("deploy")
    assert ROOT / playbook == Path(tested[1])
    # The tests give no inventory: they take the one of ansible.cfg.
    assert re.search(rf"^inventory = {re.escape(inventory)}$", (ROOT / "ansible.cfg").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_command_of_a_page_can_be_made(page: Path) -> None:
    text = page.read_text()
    blocks = re.findall(r"^```bash\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    named = {target for block in blocks for target in make_targets(block)}
    named |= {target for inline in re.findall(r"`(make [^`]+)`", text) for target in make_targets(inline)}
    can_be_made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert named <= can_be_made
