# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a send is, in a small JSON file that is rewritten while it lasts: Ansible shows nothing before its end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ...atomic_file import write_atomically
from .files import Instance
from .journal import MALFORMED
from .outcome import Outcome
from .own_file import OwnFileError, see_that_it_is_ours

FORMAT = "cellcs.orthweb.dicom_store"
INTERVAL_SECONDS = 2.0
MODE = 0o644  # it has counts only, no names


class ProgressError(Exception):
    """A progress file cannot be used; ``str()`` names it, and says why and what to do."""


class Progress:
    """Counts outcomes and, as a context manager, keeps a file up to date with them.

    The file says ``sending`` while the send lasts and ``ended`` behind it. One that says ``sending`` and is older than
    some seconds (``updated``) is that of a run that was killed.
    """

    def __init__(self, path: Path, instances: Iterable[Instance], already_stored: int) -> None:
        to_send = list(instances)
        self.problem: str | None = None
        self._path = path
        self._count, self._bytes_left = len(to_send), sum(each.data_set_bytes for each in to_send)
        self._already_stored, self._stored, self._failed, self._bytes, self._done = already_stored, 0, 0, 0, 0
        self._start = time.monotonic()
        self._end = threading.Event()
        self._writer = threading.Thread(target=self._keep_writing, daemon=True)

    def __enter__(self) -> Progress:
        """Begin the file. Raises ``ProgressError`` if it cannot be written, or is not ours."""
        see_that_it_can_be_used(self._path)
        self._start = time.monotonic()
        self._write("sending")
        if self.problem:
            raise ProgressError(self.problem)
        self._writer.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._end.set()
        self._writer.join()
        self._write("ended")

    def count(self, outcome: Outcome) -> None:
        """Take in what became of one instance. One caller at a time."""
        self._bytes_left -= outcome.instance.data_set_bytes
        self._done += 1
        if outcome.stored:
            self._stored += 1
            self._bytes += outcome.instance.data_set_bytes
        else:
            self._failed += 1

    def state(self, word: str, now: datetime) -> dict[str, Any]:
        """Return what the file is to say."""
        seconds = time.monotonic() - self._start
        rate = self._bytes / seconds if seconds else 0.0
        end = None
        if word == "sending" and rate:
            left = min(self._bytes_left / rate, timedelta.max.total_seconds() / 1e6)
            end = _timestamp(now + timedelta(seconds=left))
        return {
            "progress": FORMAT,
            "state": word,
            "count": self._count + self._already_stored,
            "stored": self._stored,
            "already_stored": self._already_stored,
            "failed": self._failed,
            "left": self._count - self._done,
            "bytes": self._bytes,
            "bytes_left": self._bytes_left,
            "bytes_per_second": round(rate),
            "seconds": round(seconds, 1),
            "estimated_end": end,
            "updated": _timestamp(now),
        }

    def _keep_writing(self) -> None:
        while not self._end.wait(INTERVAL_SECONDS):
            self._write("sending")

    def _write(self, word: str) -> None:
        """Write the file. That it cannot be written is no reason to stop sending."""
        text = json.dumps(self.state(word, datetime.now(UTC)), indent=2)
        try:
            write_atomically(self._path, text.encode() + b"\n", mode=MODE)
        except OSError as error:
            self.problem = f"{self._path}: cannot be written: {error.strerror or error}. Fix that, or use another file."


def see_that_it_can_be_used(path: Path) -> None:
    """Keep from overwriting what somebody else has put there, and change nothing. Raises ``ProgressError``."""
    try:
        see_that_it_is_ours(path, _is_progress)
    except OwnFileError as error:
        raise ProgressError(str(error)) from error


def _is_progress(head: bytes) -> bool:
    try:
        return bool(json.loads(head)["progress"] == FORMAT)
    except MALFORMED:
        return False


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
