# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and groups of this machine, by name and by number."""

from __future__ import annotations

import grp
import pwd


def user_id(name: str | None) -> int:
    """The number of a user given by name or number. :class:`ValueError` says that there is none."""
    if name is None or name.isdigit():
        return int(name or -1)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise ValueError(f"there is no user '{name}' on this machine") from None


def group_id(name: str | None) -> int:
    """The number of a group given by name or number. :class:`ValueError` says that there is none."""
    if name is None or name.isdigit():
        return int(name or -1)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ValueError(f"there is no group '{name}' on this machine") from None


def user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
