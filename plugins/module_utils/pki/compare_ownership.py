# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files and folders are not as declared."""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from .accounts import group_name, user_name
from .files import list_files
from .layout import AuthorityFiles, Layout, Tier, parse_record_name
from .ownership import CA_KEY_MODE, PUBLIC_MODE, AttributeChange, Ownership


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
    return f"{user_name(user)}:{group_name(group)} {mode:04o}"
