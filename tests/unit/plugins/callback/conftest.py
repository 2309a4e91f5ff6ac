# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of ansible-playbook that plan, and an account for the plan to look at."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.checkout import COLLECTIONS
from support.fixtures.aws import account
from support.playbook import Ran

__all__ = ["account"]


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Ran]:
    """``plan(text, *arguments, name="plan.yml")`` runs a playbook with the callback enabled, after profile_tasks.

    :return: what it printed. With ``quiet``, that is as ``make plan`` prints it.
    """

    def run(text: str, *arguments: str, name: str = "plan.yml", check: bool = True, quiet: bool = False) -> Ran:
        folder = tmp_path / "files"
        folder.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.profile_tasks,cellcs.orthweb.plan",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_HOME": str(tmp_path / "home"),
            "ANSIBLE_NOCOLOR": "1",
        }
        if quiet:
            environment |= {
                "ANSIBLE_STDOUT_CALLBACK": "cellcs.orthweb.plan_only",
                "ANSIBLE_CALLBACKS_ENABLED": "cellcs.orthweb.plan",
            }
        (tmp_path / "none.cfg").write_text("")
        command = [Path(sys.executable).with_name("ansible-playbook"), "-i", "host1,", name, "-e", f"folder={folder}"]
        command += ["--check", "--diff"] if check else []
        return Ran(
            subprocess.run(
                [*command, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
            )
        )

    return run
