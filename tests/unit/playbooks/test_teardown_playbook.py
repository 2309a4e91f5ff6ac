# SPDX-License-Identifier: GPL-3.0-or-later
"""make teardown with the inventory of another stack than the one that has the folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.checkout import ROOT


def teardown(state: Path) -> tuple[int, str]:
    playbook = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [playbook, "--inventory", "inventory/local", "playbooks/teardown.yml", "-e", "orthweb_confirm_teardown=other"],
        cwd=ROOT,
        env={**os.environ, "ORTHWEB_STATE_ROOT": str(state), "ORTHWEB_STACK": "orthweb", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, " ".join(done.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["account-copy.json", "ssh/id_ed25519"])
def test_the_folder_of_a_stack_on_aws_is_not_removed_from_elsewhere(tmp_path: Path, name: str) -> None:
    kept = tmp_path / "orthweb" / name
    kept.parent.mkdir(parents=True)
    kept.touch()
    code, said = teardown(tmp_path)
    assert code != 0
    assert "Nothing was touched: the stack orthweb is on AWS" in said
    assert "make teardown INVENTORY=inventory/aws" in said
    assert kept.exists()


@pytest.mark.slow
def test_any_other_stack_is_asked_for_its_name(tmp_path: Path) -> None:
    (tmp_path / "orthweb").mkdir()
    code, said = teardown(tmp_path)
    assert code != 0
    assert "the stack's name was not confirmed" in said
