# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of ansible-playbook."""

from __future__ import annotations

import subprocess


class Ran:
    """How it ended, what it printed, and what of that is the plan."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code, self.text = done.returncode, done.stdout + done.stderr
        self.out, self.err = done.stdout, done.stderr
        self.plan = self.text.partition("\nPLAN ")[2].partition("\n")[2].removesuffix(done.stderr)
