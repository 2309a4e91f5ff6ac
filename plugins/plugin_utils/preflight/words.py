# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences about values that several rules share."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom import names


def listed(words: Iterable[str], last: str = "and") -> str:
    """``a, b and c``."""
    *others, final = words
    return f"{', '.join(others)} {last} {final}" if others else final


def nearest(name: str, known: Collection[str]) -> str:
    """``did you mean port?``, or empty if nothing that is known is near."""
    found = get_close_matches(name, known, n=1)
    return f"did you mean {found[0]}?" if found else ""


def unknown_keys(given: Iterable[object], known: Collection[str]) -> str:
    """``has unknown keys: prot (did you mean port?). Known keys: name and port.``, or empty if all are known."""
    unknown = sorted({str(key) for key in given} - set(known))
    if not unknown:
        return ""
    named = [f"{key} ({question})" if (question := nearest(key, known)) else key for key in unknown]
    return f"has unknown keys: {', '.join(named)}. Known keys: {listed(known)}."


def port_problem(port: object) -> str:
    """``70000: a port is a number from 1 to 65535.``, or empty if it is one."""
    problem = names.port_problem(port)
    return f"{problem}." if problem else ""
