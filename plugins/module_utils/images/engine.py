# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks an image, in a container that is gone afterwards, for its files and for the updates that its packages have."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from .contents import Update, read_simulation

SBOM = "/usr/share/orthweb/sbom.cdx.json"
PACKAGE_INDEX = "/usr/share/orthweb/package-index"
_BOUNDARY = "--- orthweb ---"
_READ = f'for file in {SBOM} {PACKAGE_INDEX}; do cat "$file" 2>/dev/null; echo; echo "{_BOUNDARY}"; done'
# One try each, and short: who has no network is told so in seconds.
_ASK = """
command -v apt-get >/dev/null || { echo "the image has no apt" >&2; exit 3; }
set -- -o Acquire::Retries=0 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10
apt-get -qq "$@" -o APT::Update::Error-Mode=any update >&2 || exit 2
exec apt-get --simulate -o APT::Get::Show-User-Simulation-Note=false dist-upgrade
"""
_NO_NETWORK = (
    "could not resolve",
    "temporary failure resolving",
    "could not connect",
    "connection failed",
    "unable to connect",
    "network is unreachable",
    "connection timed out",
)


class EngineError(Exception):
    """Docker did not do what it was asked; the message says what came back."""


@dataclass(frozen=True)
class Answer:
    """What apt in an image answered.

    :ivar problem: why it could not be asked; then ``updates`` is empty
    """

    updates: tuple[Update, ...] = ()
    problem: str = ""


def image_id(reference: str) -> str | None:
    """The image's ID; None if this host does not have it."""
    done = _docker("image", "inspect", "--format", "{{.Id}}", reference, timeout=30)
    return done.stdout.strip() if done.returncode == 0 else None


def read_files(image: str) -> tuple[str, str]:
    """List of packages and date of the index, each empty where the image has none. Raises :class:`EngineError`."""
    done = _docker("run", "--rm", "--network=none", "--entrypoint=sh", image, "-c", _READ, timeout=60)
    parts = done.stdout.split(_BOUNDARY)
    return (parts[0].strip(), parts[1].strip()) if len(parts) == 3 else ("", "")


def ask(image: str, timeout_seconds: float = 60) -> Answer:
    """Which packages of the image have newer versions, by the package sources that are written in it."""
    name = f"orthweb-ask-{image.removeprefix('sha256:')[:12]}-{os.getpid()}"
    run = ["run", "--rm", "--name", name, "--user=0", "--entrypoint=sh", image, "-c", _ASK]
    try:
        done = _docker(*run, timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        _docker("rm", "--force", name, timeout=30)
        return Answer(problem=f"no answer within {timeout_seconds:g} seconds")
    if done.returncode != 0:
        return Answer(problem=_problem(done.stderr))
    return Answer(tuple(update for update in read_simulation(done.stdout.splitlines()) if update.is_security))


def _problem(said: str) -> str:
    if any(words in said.lower() for words in _NO_NETWORK):
        return "no network"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next((line for line in lines if line.startswith(("E:", "Err"))), lines[-1] if lines else "apt said nothing")


def _docker(*arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        raise EngineError("docker is not installed on this host") from None
