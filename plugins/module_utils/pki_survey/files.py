# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files are in a folder, and their bytes, whatever the folder holds; within limits."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from .items import Reason, Unreadable


@dataclass(frozen=True, slots=True)
class Limits:
    recurse: bool
    max_files: int
    max_file_bytes: int


@dataclass(frozen=True, slots=True)
class FileBytes:
    path: str
    mode: int
    data: bytes


class TooManyFilesError(Exception):
    """There are more files than may be read."""


def exists(path: str) -> bool:
    """Whether something is there, be it a link to nowhere or something that may not be looked at."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def read_files(path: str, limits: Limits) -> Iterator[FileBytes | Unreadable]:
    """Every file at or in ``path``, in the order of their names, folders after the files beside them.

    Links to files are followed, links to folders below ``path`` are not, so that no folder is read twice. Raises
    :class:`TooManyFilesError` after ``max_files``.
    """
    for count, file in enumerate(_walk(path, limits)):
        if count == limits.max_files:
            raise TooManyFilesError
        yield file if isinstance(file, Unreadable) else _read(file, limits.max_file_bytes)


def _walk(path: str, limits: Limits) -> Iterator[str | Unreadable]:
    if not os.path.isdir(path):  # noqa: PTH112  # a string is a string here, also one that is no UTF-8
        yield path
        return
    folders = [path]
    while folders:
        folder = folders.pop()
        below = []
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield _refusal(folder, error)
            continue
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
            elif entry.is_symlink() and _is_folder(entry):
                if limits.recurse:
                    yield Unreadable(entry.path, None, Reason.LINK_TO_FOLDER, "a link to a folder is not followed")
            else:
                yield entry.path
        if limits.recurse:
            folders.extend(reversed(below))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _read(path: str, max_bytes: int) -> FileBytes | Unreadable:
    """A device or FIFO is not opened: that alone may hang, or rewind a tape."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            return _not_a_file(path)
        # What is swapped for a FIFO in between does not hang either.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return _not_a_file(path)
            data = stream.read(max_bytes + 1)
    except OSError as error:
        return _refusal(path, error)
    if len(data) > max_bytes:
        return Unreadable(path, None, Reason.TOO_LARGE, f"it has more than {max_bytes} bytes (max_file_bytes)")
    return FileBytes(path, stat.S_IMODE(status.st_mode), data)


def _not_a_file(path: str) -> Unreadable:
    return Unreadable(path, None, Reason.NOT_A_FILE, "it is a FIFO, a socket or a device, which is never opened")


def _refusal(path: str, error: OSError) -> Unreadable:
    match error.errno:
        case errno.EACCES | errno.EPERM:
            return Unreadable(path, None, Reason.NO_PERMISSION, "the user who ran the module is not allowed to read it")
        case errno.ELOOP:
            return Unreadable(path, None, Reason.LINK_LOOP, "it is a link that points back to itself")
        case errno.ENOENT:
            return Unreadable(path, None, Reason.LINK_DANGLING, "it is a link to a file that does not exist")
        case _:
            return Unreadable(path, None, Reason.SYSTEM_ERROR, f"the system says: {error.strerror}")
