# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders and files with the owner, group and mode that are declared."""

from __future__ import annotations

import os
from pathlib import Path

from .ownership import Ownership


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
