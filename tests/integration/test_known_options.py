# SPDX-License-Identifier: GPL-3.0-or-later
"""Orthanc ignores an option that it does not know, so that a protection of a later version looks as if it were there.

Each option that we set must be a text in the program that should read it. Compilers store such a text as a whole, or in
pieces of eight bytes inside the instructions that build it.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator
from subprocess import run

import pytest

from support.stack import Stack, docker

# The plugin that reads a section of the configuration; everything else is Orthanc's own.
PLUGINS = {
    "DicomWeb": "libOrthancDicomWeb",
    "WebViewer": "libOrthancWebViewer",
    "Gdcm": "libOrthancGdcm",
    "Room": "postgresql_Storage",  # ours, around Debian's
}
POSTGRESQL = ("libOrthancPostgreSQLIndex", "libOrthancPostgreSQLStorage")


def is_text_of(option: str, program: bytes) -> bool:
    name = option.encode()
    if name in program:
        return True
    pieces = [name[start : start + 8] for start in range(0, len(name) - 7, 8)]
    rest = name[len(pieces) * 8 :]
    return bool(pieces) and all(piece in program for piece in [*pieces, name[-8:] if len(rest) > 4 else rest])


@pytest.fixture(scope="module")
def programs(stack: Stack) -> dict[str, bytes]:
    """Name → contents, of Orthanc and of its plugins."""
    command = ["docker", "exec", stack.container("orthanc"), "tar", "--create", "--dereference", "--directory=/usr"]
    packed = run(
        [*command, "sbin/Orthanc", "lib/orthanc", "local/lib/orthanc"], capture_output=True, check=True, timeout=60
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return {
            re.split(r"/|\.so", member.name)[-1 if "/Orthanc" in member.name else -2]: archive.extractfile(
                member
            ).read()
            for member in archive.getmembers()
            if member.isfile()
        }


def options(configuration: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Section, empty for Orthanc's own, and option."""
    for key, value in configuration.items():
        yield "", key
        if not isinstance(value, dict) or key == "RegisteredUsers":
            continue
        yield from ((key, option) for option in value)


def test_every_option_is_known(stack: Stack, programs: dict[str, bytes]) -> None:
    container = stack.container("orthanc")
    written = [
        json.loads(docker("exec", container, "cat", f"/etc/orthanc/{name}.json")) for name in ("orthanc", "secrets")
    ]
    asked = {pair for configuration in written for pair in options(configuration)}
    assert len(asked) > 60
    unknown = []
    for section, option in sorted(asked):
        if section == "PostgreSQL":
            readers = POSTGRESQL
        elif section == "" and option in ("PostgreSQL", *PLUGINS):
            readers = POSTGRESQL if option == "PostgreSQL" else (PLUGINS[option],)
        else:
            readers = (PLUGINS.get(section, "Orthanc"),)
        if not any(is_text_of(option, programs[reader]) for reader in readers):
            unknown.append(f"{section}.{option}".lstrip("."))
    assert unknown == []


@pytest.mark.parametrize(
    ("option", "program"),
    [
        ("TransactionMode", "libOrthancPostgreSQLIndex"),
        ("UseDynamicConnectionPool", "libOrthancPostgreSQLIndex"),
        ("MaximumRequestBodySizeGB", "Orthanc"),
    ],
)
def test_it_would_be_seen(programs: dict[str, bytes], option: str, program: str) -> None:
    assert not is_text_of(option, programs[program])
