# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns the files of a PKI, and who else may open them."""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .files import list_files
from .layout import AuthorityFiles, Layout, Tier, parse_record_name

CA_KEY_MODE = 0o600  # whatever is declared: nothing but this module needs it
PUBLIC_MODE = 0o644

_SYMBOLIC = re.compile(r"[ugo]=[rwx]*(,[ugo]=[rwx]*)*")
_CLASSES = {"u": 6, "g": 3, "o": 0}
_BITS = {"r": 4, "w": 2, "x": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """``user_id`` and ``group_id`` are -1 where they are left as they come, as for :func:`os.chown`."""

    user_id: int = -1
    group_id: int = -1
    private_mode: int = 0o600
    folder_mode: int = 0o700

    @property
    def ids(self) -> tuple[int, int]:
        return self.user_id, self.group_id


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """A file or folder whose owner, group or mode is not as declared."""

    path: Path
    mode: int
    before: str
    after: str


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
        yield f"mode: {ownership.private_mode:04o} lets everybody on this machine at the private keys"
    if not ownership.private_mode & 0o400:
        yield f"mode: {ownership.private_mode:04o} keeps the owner from reading the private keys"
    if ownership.folder_mode & 0o700 != 0o700:
        yield f"directory_mode: {ownership.folder_mode:04o} keeps the owner out of the folder"
    if os.geteuid() == 0:
        return
    if ownership.user_id not in (-1, os.geteuid()):
        yield f"owner: only root may give files to {_user_name(ownership.user_id)}, and this runs as another user"
    if ownership.group_id not in (-1, os.getegid(), *os.getgroups()):
        yield f"group: the user who runs this is no member of {_group_name(ownership.group_id)}"


def attribute_changes(
    layout: Layout, names: Collection[str], former: Collection[AuthorityFiles], ownership: Ownership
) -> tuple[AttributeChange, ...]:
    """What is there already and not as declared: the files of the CAs and of the certificates ``names``, the ledger.

    Whatever else is in the folder is not ours, and left alone.
    """
    changes = []
    for path, mode in _declared_modes(layout, names, former, ownership):
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        before = (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))
        after = (
            before[0] if ownership.user_id == -1 else ownership.user_id,
            before[1] if ownership.group_id == -1 else ownership.group_id,
            mode,
        )
        if before != after and not stat.S_ISLNK(found.st_mode):
            changes.append(AttributeChange(path, mode, _spelled(*before), _spelled(*after)))
    return tuple(changes)


def make_folder(path: Path, ownership: Ownership) -> None:
    """Make the folder, and those above it, where it is missing. Raises :class:`OSError`."""
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        apply_attributes(path, ownership.folder_mode, ownership)


def apply_attributes(path: Path, mode: int, ownership: Ownership) -> None:
    """Not through a link. Raises :class:`OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fchown(descriptor, *ownership.ids)
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _declared_modes(
    layout: Layout, names: Collection[str], former: Collection[AuthorityFiles], ownership: Ownership
) -> Iterator[tuple[Path, int]]:
    yield from ((folder, ownership.folder_mode) for folder in (layout.folder, layout.issued, layout.former))
    for files in (*(layout.authority_files(tier) for tier in Tier), *former):
        yield files.private_key, CA_KEY_MODE
        yield files.certificate, PUBLIC_MODE
    yield from ((file, PUBLIC_MODE) for file in (layout.ca_bundle, layout.crl))
    for name in sorted(names):
        leaf = layout.files_of(name)
        yield from ((file, ownership.private_mode) for file in (leaf.private_key, leaf.pkcs12))
        yield from ((file, PUBLIC_MODE) for file in (leaf.certificate, leaf.chain))
    for suffix in (".crt", ".revoked"):
        yield from ((file, PUBLIC_MODE) for file in list_files(layout.issued, suffix) if parse_record_name(file))


def _spelled(user: int, group: int, mode: int) -> str:
    return f"{_user_name(user)}:{_group_name(group)} {mode:04o}"


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
