# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a module rewrites: only those that it has written itself, or that are not there yet."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

LARGEST_HEAD = 4096


class OwnFileError(Exception):
    """A file cannot be written, or is somebody else's; ``str()`` names it, and says why and what to do."""


def see_that_it_is_ours(path: Path, is_ours: Callable[[bytes], bool]) -> None:
    """Keep from overwriting what somebody else has put there, and change nothing. Raises ``OwnFileError``.

    ``is_ours`` is asked for the first ``LARGEST_HEAD`` bytes of what is there.
    """
    if not path.parent.is_dir():
        raise OwnFileError(f"{path}: its folder does not exist. Create it first.")
    if not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=True):
        raise OwnFileError(f"{path}: its folder is not writable. Fix that, or use another file.")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OwnFileError(f"{path}: cannot be read: {error.strerror or error}. Use another file.") from error
    with os.fdopen(descriptor, "rb") as file:
        try:
            ours = stat.S_ISREG(os.fstat(descriptor).st_mode) and is_ours(file.read(LARGEST_HEAD))
        except OSError:
            ours = False
    if not ours:
        raise OwnFileError(f"{path}: exists, but was not written by dicom_store. It was not changed. Use another file.")
