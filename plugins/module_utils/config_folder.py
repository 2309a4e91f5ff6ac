# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of configuration: what it should hold, what it holds, and what has to be written."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Access:
    """Who owns the folder and its files, and the modes they have."""

    folder_owner: int
    owner: int
    group: int
    folder_mode: int
    mode: int
    secret_mode: int


@dataclass(frozen=True)
class Folder:
    """A folder as it is."""

    mode: int
    owner: int
    group: int


@dataclass(frozen=True)
class ConfigFile:
    """A file as it should be, or as it is."""

    content: bytes
    mode: int
    owner: int
    group: int
    is_secret: bool = False


@dataclass(frozen=True)
class Change:
    """A file that has to be written. There is no ``before`` if it is not there."""

    name: str
    before: ConfigFile | None
    after: ConfigFile

    def to_diff(self) -> dict[str, str]:
        """For ``--diff``, without what is secret."""
        before, after = (_shown(file, self.after.is_secret) for file in (self.before, self.after))
        return {"before_header": self.name, "after_header": self.name, "before": before, "after": after}


def access(owner: int | None, group: int | None, process: tuple[int, int]) -> Access:
    """For the user and the group of a container; without them, for those of this process alone."""
    if owner is None or group is None:
        user, own_group = process
        return Access(user, user, own_group, 0o700, 0o600, 0o600)
    return Access(0, owner, group, 0o750, 0o440, 0o400)


def name_problem(name: str) -> str | None:
    """Half a sentence about a name that would lead out of the folder."""
    return (
        None
        if name == Path(name).name and name not in ("", ".", "..")
        else f"{name!r} must be a file name without a folder"
    )


def desired(declared: Mapping[str, Any], who: Access) -> ConfigFile:
    """A declared file, of which either ``content`` or ``secret_content`` is given."""
    is_secret = declared["secret_content"] is not None
    content = declared["secret_content"] if is_secret else declared["content"]
    return ConfigFile(content.encode(), who.secret_mode if is_secret else who.mode, who.owner, who.group, is_secret)


def folder_differs(found: Folder | None, who: Access) -> bool:
    return found != Folder(who.folder_mode, who.folder_owner, who.group)


def changes(wanted: Mapping[str, ConfigFile], found: Mapping[str, ConfigFile | None]) -> list[Change]:
    """What is not as wanted, in the order in which it is wanted."""

    def seen(file: ConfigFile | None) -> tuple[bytes, int, int, int] | None:
        return (file.content, file.mode, file.owner, file.group) if file else None

    return [Change(name, found[name], file) for name, file in wanted.items() if seen(found[name]) != seen(file)]


def read_folder(path: Path) -> Folder | None:
    """``None`` if there is no such folder."""
    if not path.is_dir():
        return None
    status = path.stat()
    return Folder(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def read_file(path: Path) -> ConfigFile | None:
    """``None`` if there is no such file."""
    try:
        status = path.lstat()
        return ConfigFile(path.read_bytes(), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    except FileNotFoundError:
        return None


def _shown(file: ConfigFile | None, is_secret: bool) -> str:
    if file is None:
        return ""
    text = "(secret)\n" if is_secret else file.content.decode(errors="replace")
    return f"# mode {file.mode:04o}, owner {file.owner}, group {file.group}\n{text}"
