# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a playbook of this collection for a tool, which shows its own answer instead of Ansible's output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]


def play(name: str, inventory: str, variables: Mapping[str, Any], more: Sequence[str]) -> bool:
    """Whether it went through; if not, its output is on the standard error.

    :param name: of the playbook, without ``.yml``
    :param more: further arguments for ansible-playbook
    """
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "--inventory", inventory]
    command += [f"playbooks/{name}.yml", "--extra-vars", json.dumps(variables), *more]
    run = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**os.environ, "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode:
        print(run.stdout, file=sys.stderr)
    return run.returncode == 0
