# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive's AE title and names, and those who talk DICOM to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.names import ae_title_problem, host_name_problem

from .words import listed, port_problem, unknown_keys

KEYS = ("name", "aet", "host", "port", "allow")
SERVICES = ("echo", "store", "find", "find_worklist", "get", "move")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)


def server_name_problems(names: Sequence[object]) -> Iterator[str]:
    """Of the names and addresses that the certificate will carry."""
    for name in names:
        if problem := host_name_problem(str(name)):
            yield f"orthweb_server_name or orthweb_server_aliases: {problem}"


def modality_problems(modalities: Sequence[Mapping[str, Any]], archive_aet: object) -> Iterator[str]:
    """
    :param modalities: as ``orthweb_modalities`` has them
    :param archive_aet: the archive's own AE title
    """
    if problem := ae_title_problem(str(archive_aet)):
        yield f"orthweb_aet: {problem}"
    if not modalities:
        yield "orthweb_modalities is empty: give at least one entry; the first is what the archive is checked with."
    for number, modality in enumerate(modalities, 1):
        where = f"orthweb_modalities, entry {number} ({modality.get('name', 'no name')}): "
        for problem in _entry_problems(modality):
            yield where + problem
        for key in ("name", "aet"):
            if key in modality and [other.get(key) for other in modalities].count(modality[key]) > 1:
                yield f"{where}{key} {modality[key]} stands in more than one entry."


def _entry_problems(modality: Mapping[str, Any]) -> Iterator[str]:
    if not NAME.fullmatch(str(modality.get("name", ""))):
        yield "name must be small letters, digits, hyphens and underscores."
    if problem := ae_title_problem(str(modality.get("aet", ""))):
        yield problem
    if problem := host_name_problem(str(modality.get("host", "localhost"))):
        yield problem
    if problem := port_problem(modality.get("port", 104)):
        yield f"port is {problem}"
    if problem := unknown_keys(modality, KEYS):
        yield problem
    allow = modality.get("allow", [])
    if not isinstance(allow, (list, tuple)):
        yield f"allow is {allow!r}: give a list, of {listed(SERVICES)}."
    elif never := [str(each) for each in allow if each not in SERVICES]:
        yield f"allow has {', '.join(never)}; choose of {listed(SERVICES)}."
