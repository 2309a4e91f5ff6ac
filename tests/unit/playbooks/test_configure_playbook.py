# SPDX-License-Identifier: GPL-3.0-or-later
"""configure.yml on AWS without provision.yml before it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.checkout import ROOT


@pytest.mark.slow
def test_hosts_get_no_passwords_that_their_database_does_not_have(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(
        json.dumps({"aws_account": {"hosts": {"account": local}}, "imaging": {"hosts": {"one": local}}})
    )
    playbook = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [playbook, "--inventory", inventory, "playbooks/configure.yml", "--tags", "identity"],
        cwd=ROOT,
        env={**os.environ, "ORTHWEB_STATE_ROOT": str(tmp_path / "state"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert "Nothing was touched: on AWS, configure.yml needs the database's address and passwords" in said
    assert "localhost : ok" not in said and " one : " not in said
    assert not (tmp_path / "state").exists()
