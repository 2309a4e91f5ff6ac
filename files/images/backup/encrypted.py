# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of ours in a repository. pgBackRest encrypts them as OpenSSL does, and decrypts only its own."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from repository import FailedError, Repository

CONFIGURATION = Path("/etc/pgbackrest/pgbackrest.conf")


def decrypted(repository: Repository, name: str) -> bytes:
    raw = repository.ask_bytes("--raw", "repo-get", name)
    reading, writing = os.pipe()
    os.write(writing, passphrase(CONFIGURATION.read_text(), repository.number).encode() + b"\n")
    os.close(writing)
    try:
        done = subprocess.run(
            ["openssl", "enc", "-d", "-aes-256-cbc", "-md", "sha1", "-pass", f"fd:{reading}"],
            input=raw,
            capture_output=True,
            pass_fds=[reading],
            check=False,
        )
    finally:
        os.close(reading)
    if done.returncode:
        raise FailedError(f"{name} could not be decrypted: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def passphrase(configuration: str, number: int) -> str:
    found = re.search(rf"^repo{number}-cipher-pass=(.*)$", configuration, re.MULTILINE)
    if not found:
        raise FailedError(f"pgBackRest's configuration has no passphrase for repository {number}.")
    return found[1]
