# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that a test runs to their end."""

from __future__ import annotations

import subprocess
from pathlib import Path


def run(
    *command: str | Path, stdin: str = "", folder: Path | None = None, seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    """The program's exit code and what it printed, as text. It may fail."""
    parts = [str(part) for part in command]
    return subprocess.run(parts, input=stdin, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)


def output_of(*command: str | Path, stdin: str = "", folder: Path | None = None, seconds: float = 120) -> str:
    """What the program printed to its standard output. It must end well."""
    done = run(*command, stdin=stdin, folder=folder, seconds=seconds)
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def said_by(*command: str | Path, stdin: str = "", succeeds: bool = True) -> str:
    """Everything that the program printed. It must end well, or badly, if it is not to succeed."""
    done = run(*command, stdin=stdin)
    assert (done.returncode == 0) is succeeds, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr
