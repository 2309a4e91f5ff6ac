# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that the DICOMweb modules share: which archive is asked for which files."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ..names import host_name_problem
from ..net.tls import file_problem
from ..peer import ONE_DAY
from ..store.files import Instance
from ..store.paths import collect
from .archive import Archive

# The same options stand, documented, in plugins/doc_fragments/dicom_web.py, but for paths and fail_on.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "required": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "ca_file": {"type": "path"},
    "verify": {"type": "bool", "default": True},
    "timeout_seconds": {"type": "float", "default": 30.0},
    "paths": {"type": "list", "elements": "path", "required": True},
    "fail_on": {"type": "str", "choices": ["any", "never"], "default": "any"},
}


def asked_for(options: dict[str, Any], purpose: str) -> tuple[Archive, tuple[Instance, ...], list[str]]:
    """Return the archive and the instances that ``ARGUMENTS`` name, and all that is wrong with these options.

    ``purpose`` is what the files are wanted for, as in ``to verify``.
    """
    archive = _archive(options)
    found = collect(options["paths"])
    problems = archive_problems(archive, options["ca_file"]) + [f"paths: {problem}" for problem in found.problems]
    if not found.instances and not found.problems:
        problems.append(f"paths: there is no DICOM file {purpose}")
    return archive, found.instances, problems


def archive_problems(archive: Archive, ca_file: str | None) -> list[str]:
    """Return all that is wrong with how the archive is to be asked."""
    problems = []
    try:
        parts = urlsplit(archive.url)
        problem = parts.port == 0 or host_name_problem(parts.hostname or "")
    except ValueError as error:
        problems.append(f"url: {archive.url!r} is not a URL ({error})")
    else:
        if parts.scheme not in ("http", "https") or problem:
            problems.append(f"url: {archive.url!r} is not an http or https URL of a DICOMweb root")
        if parts.username or parts.password:
            problems.append("url: contains credentials: use username and password instead, which are kept out of logs")
        if parts.query or parts.fragment:
            problems.append("url: has a query or a fragment: use the DICOMweb root only")
        if ca_file and parts.scheme == "http":
            problems.append("ca_file: needs an https URL")
    if (archive.username is None) != (archive.password is None):
        problems.append("username, password: set both or neither")
    if not 0 < archive.timeout <= ONE_DAY:
        problems.append(f"timeout_seconds: {archive.timeout} is not above 0 and at most {ONE_DAY}")
    if ca_file and not archive.verify:
        problems.append("ca_file: has no effect with verify: false")
    if ca_file and (problem := file_problem(ca_file)):
        problems.append(f"ca_file: {problem}")
    return problems


def _archive(options: dict[str, Any]) -> Archive:
    return Archive(
        url=options["url"],
        username=options["username"],
        password=options["password"],
        verify=(options["ca_file"] or True) if options["verify"] else False,
        timeout=options["timeout_seconds"],
    )
