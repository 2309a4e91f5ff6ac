# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the files of a PKI: each is there and whole, or it is said why not."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from .errors import FileUnreadableError, PkiError

with suppress(ImportError):  # the module says so, with missing_required_lib
    from cryptography.exceptions import UnsupportedAlgorithm

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A file's content, or else why there is none: ``problem`` is ``missing`` or ``unreadable``."""

    value: T | None = field(repr=False)
    problem: str | None = None
    mode: int = 0

    def is_open_to_others(self, allowed: int) -> bool:
        """Whether the group or everybody may do with it what the mode ``allowed`` does not grant them."""
        return bool(self.mode & 0o077 & ~allowed)


def read_file(path: Path, load: Callable[[bytes], T], *, unreadable: type[PkiError] = FileUnreadableError) -> Found[T]:
    """What ``load`` makes of the file. Raises ``unreadable`` for a file that may not be opened."""
    try:
        with path.open("rb") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            data = stream.read()
    except FileNotFoundError:
        return Found(None, "missing")
    except OSError as error:
        raise unreadable(f"Reading {path}", f"{error.strerror}") from error
    try:
        return Found(load(data), mode=mode)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return Found(None, "unreadable")


def list_files(folder: Path, suffix: str) -> list[Path]:
    """The files with that suffix, by name; a folder that is not there has none."""
    try:
        return sorted(file for file in folder.iterdir() if file.suffix == suffix)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FileUnreadableError(f"Listing {folder}", f"{error.strerror}") from error
