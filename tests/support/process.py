# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that a test runs to their end, and servers that it waits for."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path


def run(
    *command: str | Path,
    stdin: str = "",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    merged: bool = False,
    seconds: float = 120,
) -> subprocess.CompletedProcess[str]:
    """The program's exit code and what it printed, as text. It may fail.

    :param environment: instead of that of this process
    :param merged: whether its standard output gets its standard error too, each line in its place
    """
    return subprocess.run(
        [str(part) for part in command],
        input=stdin,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        text=True,
        timeout=seconds,
        check=False,
    )


def output_of(
    *command: str | Path,
    stdin: str = "",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    merged: bool = False,
    seconds: float = 120,
) -> str:
    """What the program printed to its standard output. It must end well."""
    done = run(*command, stdin=stdin, folder=folder, environment=environment, merged=merged, seconds=seconds)
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr or ''}"
    return done.stdout


def said_by(*command: str | Path, stdin: str = "", succeeds: bool = True) -> str:
    """Everything that the program printed. It must end well, or badly, if it is not to succeed."""
    done = run(*command, stdin=stdin)
    assert (done.returncode == 0) is succeeds, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def wait_until_listening(address: str, port: int, log: Path) -> None:
    """Until a server that was just started takes connections. If it does not, its log says why."""
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
