# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a file whole or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

_PREFIX, _SUFFIX = ".tmp-", "~"


def write_atomically(path: Path, data: bytes, *, mode: int | None = None, owner: tuple[int, int] | None = None) -> None:
    """Make ``path`` hold exactly ``data``, with ``mode`` and ``owner`` (user, group) from its first byte on.

    Without ``mode`` it has the one that any new file has: what the umask leaves of 0666.
    Whoever reads ``path`` meanwhile, and whoever finds it after a power cut, sees the old content or the new one,
    never a part. A symbolic link in that place is replaced, not followed. Raises :class:`OSError`.
    """
    temporary = path.with_name(f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}")
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666 if mode is None else 0o600
    )
    try:
        with os.fdopen(descriptor, "wb") as stream:
            if owner is not None:
                os.fchown(stream.fileno(), *owner)
            if mode is not None:
                os.fchmod(stream.fileno(), mode)  # exactly this mode, whatever the umask
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.rename(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that a killed :func:`write_atomically` left. Only under the folder's lock."""
    for leftover in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        leftover.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
