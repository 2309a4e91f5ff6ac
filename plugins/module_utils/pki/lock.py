# SPDX-License-Identifier: GPL-3.0-or-later
"""One writer at a time in a PKI's folder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .apply_ownership import make_folder
from .errors import FolderError, LockedError
from .layout import Layout
from .ownership import Ownership

_POLL_SECONDS = 0.05


@contextmanager
def locked(layout: Layout, ownership: Ownership, *, writing: bool, timeout_seconds: float = 60) -> Iterator[None]:
    """Hold the folder's lock, which the kernel lets go of when the process ends, however it ends.

    A writer makes the folder if need be, and is alone. A reader creates nothing: where no lock file is, no writer
    was ever there.
    """
    descriptor = _open_lock_file(layout, ownership, writing=writing)
    try:
        if descriptor is not None:
            _acquire(descriptor, layout, fcntl.LOCK_EX if writing else fcntl.LOCK_SH, timeout_seconds)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _open_lock_file(layout: Layout, ownership: Ownership, *, writing: bool) -> int | None:
    try:
        if not writing:
            return os.open(layout.lock, os.O_RDONLY)
        make_folder(layout.folder, ownership)
        # The folder may belong to somebody else, who must not have a file of ours given away by a link.
        descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if os.fstat(descriptor).st_nlink == 1:
            os.fchown(descriptor, *ownership.ids)
        return descriptor
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FolderError(f"Opening the certificate folder {layout.folder}", f"{error.strerror}") from error


def _acquire(descriptor: int, layout: Layout, kind: int, timeout_seconds: float) -> None:
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"Locking {layout.lock}", f"another run has held it for {timeout_seconds:g} seconds"
                ) from None
            time.sleep(_POLL_SECONDS)
        else:
            return
