# SPDX-License-Identifier: GPL-3.0-or-later
"""Modes as they are declared, and what is wrong with a declared ownership."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from .accounts import group_name, user_name
from .ownership import Ownership

_SYMBOLIC = re.compile(r"[ugo]=[rwx]*(,[ugo]=[rwx]*)*")
_CLASSES = {"u": 6, "g": 3, "o": 0}
_BITS = {"r": 4, "w": 2, "x": 1}


def parse_mode(given: Any) -> int:
    """A mode as file modules take it: ``'0640'``, or ``u=rw,g=r``. :class:`ValueError` says what is wrong.

    A number is refused: without quotes, YAML makes 416 of ``0640``, and leaves ``640`` as it is.
    """
    text = str(given).strip()
    if not isinstance(given, int) and re.fullmatch(r"0?[0-7]{3}", text):
        return int(text, 8)
    if not _SYMBOLIC.fullmatch(text):
        raise ValueError(f"'{text}' is not a mode: write it in quotes and octal, as in '0640', or as u=rw,g=r")
    mode = 0
    for clause in text.split(","):
        who, _equals, permissions = clause.partition("=")
        mode |= sum(_BITS[permission] for permission in set(permissions)) << _CLASSES[who]
    return mode


def ownership_problems(ownership: Ownership) -> Iterator[str]:
    """What makes no sense, or may not be done by the user who runs this."""
    if ownership.private_mode & 0o007:
        yield f"mode: {ownership.private_mode:04o} lets every user of this machine read the private keys"
    if not ownership.private_mode & 0o400:
        yield f"mode: {ownership.private_mode:04o} keeps the owner from reading the private keys"
    if ownership.folder_mode & 0o700 != 0o700:
        yield f"directory_mode: {ownership.folder_mode:04o} keeps the owner out of the folder"
    if os.geteuid() == 0:
        return
    if ownership.user_id not in (-1, os.geteuid()):
        yield f"owner: only root can give files to {user_name(ownership.user_id)}, but this runs as another user"
    if ownership.group_id not in (-1, os.getegid(), *os.getgroups()):
        yield f"group: the user who runs this is not a member of {group_name(ownership.group_id)}"
