# SPDX-License-Identifier: GPL-3.0-or-later
"""make adopt where no account keeps a copy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.checkout import ROOT


@pytest.mark.slow
def test_an_inventory_without_an_account_is_refused(tmp_path: Path) -> None:
    playbook = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [playbook, "--inventory", "inventory/local", "playbooks/adopt.yml"],
        cwd=ROOT,
        env={**os.environ, "ORTHWEB_STATE_ROOT": str(tmp_path / "state"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "this inventory has no AWS account" in " ".join(done.stdout.split())
    assert not (tmp_path / "state").exists()
