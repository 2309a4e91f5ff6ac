# SPDX-License-Identifier: GPL-3.0-or-later
"""What a peer has acknowledged, on disk, so that a send that was cut off can go on where it was.

A journal is a text file of one JSON object a line. The first line says whose it is::

    {"journal": "cellcs.orthweb.dicom_store 1", "called_aet": "ORTHANC", "host": "archive.example", "port": 11112}

and each further one says what was acknowledged with which status::

    {"uid": "1.2.826.0.1.3680043.8.498.1", "file": "1f0c…", "bytes": 524800, "modified_ns": 17324…, "status": "0000"}

or that a file was set aside, because the peer could not take it::

    {"uid": "1.2.826.0.1.3680043.8.498.2", "file": "9b41…", "bytes": 18230, "modified_ns": 17324…, "set_aside": true}

It has no path, since those of an archive have patients' names in them; ``file`` is a digest that tells two files of the
same instance apart. A line is written when the peer's answer is in. It is in the kernel's hands then, and outlives
this process; it is forced to disk once a second, and what a power cut takes away is sent again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..peer import Peer
from .files import Instance

FORMAT = "cellcs.orthweb.dicom_store 1"
MODE = 0o600
SYNC_SECONDS = 1.0

# What reading JSON raises, and using it, that is not what we write: an Infinity for a length, lists without end.
MALFORMED = (ValueError, LookupError, TypeError, OverflowError, RecursionError)


class JournalError(Exception):
    """A journal cannot be used; ``str()`` names it, and says why and what to do."""


@dataclass(frozen=True, slots=True)
class _State:
    """The state of a file when it was acknowledged, and with which DIMSE status."""

    file_bytes: int
    modified_ns: int
    status: int


@dataclass
class Acknowledged:
    """What a journal lists: for each SOP instance UID the last acknowledged state of each file that has it."""

    _states: dict[str, dict[str, _State]] = field(default_factory=dict)
    _aside: Counter[tuple[str, int, int]] = field(default_factory=Counter)

    def add(self, line: Mapping[str, Any]) -> None:
        """Take in one line. Raises one of ``MALFORMED``."""
        uid, size, modified = str(line["uid"]), int(line["bytes"]), int(line["modified_ns"])
        if "set_aside" in line:
            self._aside[uid, size, modified] += 1
        else:
            state = _State(size, modified, int(line["status"], 16))
            self._states.setdefault(uid, {})[str(line["file"])] = state

    def times_set_aside(self, instance: Instance) -> int:
        """Return how many runs have set an instance aside, its file being what it is now."""
        return self._aside[instance.sop_instance_uid, instance.file_bytes, instance.modified_ns]

    def status_of(self, instance: Instance) -> int | None:
        """Return the status that the peer gave for an instance, if its file is as it was then, be it elsewhere.

        A file is as it was if its size and its time of modification are: reading all of an old archive to compare
        digests would take as long as to send it.
        """
        states = self._states.get(instance.sop_instance_uid, {})
        now = (instance.file_bytes, instance.modified_ns)
        return next((state.status for state in states.values() if (state.file_bytes, state.modified_ns) == now), None)


class Journal:
    """An open journal, locked for this process. ``acknowledged`` is what it listed when it was opened."""

    def __init__(self, path: Path, descriptor: int, acknowledged: Acknowledged) -> None:
        self.path = path
        self.acknowledged = acknowledged
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._synced = time.monotonic()
        self._failure: JournalError | None = None

    @classmethod
    def open(cls, path: Path, peer: Peer) -> Journal:
        """Open the journal of what is sent to ``peer``, or begin one. Raises ``JournalError``."""
        try:
            # Not to wait for whoever writes into a pipe of that name.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, MODE)
        except OSError as error:
            raise _cannot(path, "opened for writing", error) from error
        try:
            _lock(path, descriptor)
            acknowledged, good_bytes = _read(path, descriptor, peer)
            os.ftruncate(descriptor, good_bytes)
            os.lseek(descriptor, 0, os.SEEK_END)
            os.fchmod(descriptor, MODE)
            journal = cls(path, descriptor, acknowledged)
            if not good_bytes:
                journal._append(_head_of(peer))
        except OSError as error:
            os.close(descriptor)
            raise _cannot(path, "written", error) from error
        except BaseException:
            os.close(descriptor)
            raise
        return journal

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.close()

    def record(self, instance: Instance, status: int) -> None:
        """Add an instance that the peer has acknowledged. May be called by several threads.

        Raises ``JournalError``, and does so for good: half a line may have been written, which must stay the last.
        """
        self._record({**_state_now(instance), "status": f"{status:04X}"})

    def record_aside(self, instance: Instance) -> None:
        """Add an instance that was set aside, so that the next run sends it last. As ``record``."""
        self._record({**_state_now(instance), "set_aside": True})

    def _record(self, line: Mapping[str, Any]) -> None:
        with self._lock:
            if self._failure:
                raise self._failure
            try:
                self._append(line)
                if time.monotonic() - self._synced >= SYNC_SECONDS:
                    os.fsync(self._descriptor)
                    self._synced = time.monotonic()
            except OSError as error:
                self._failure = _cannot(self.path, "written", error)
                raise self._failure from error

    def close(self) -> None:
        """Force it to disk and release it. Where the disk fails, what it loses is sent again."""
        with suppress(OSError):
            os.fsync(self._descriptor)
        os.close(self._descriptor)

    def _append(self, line: Mapping[str, Any]) -> None:
        data = _encode(line)
        while data:
            data = data[os.write(self._descriptor, data) :]


def read_journal(path: Path, peer: Peer) -> Acknowledged:
    """Return what a journal lists, and leave it as it is. Where there is none: nothing. Raises ``JournalError``."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise JournalError(f"{path}: its folder does not exist. Create it first.") from None
        return Acknowledged()
    except OSError as error:
        raise _cannot(path, "read", error) from error
    try:
        return _read(path, descriptor, peer)[0]
    finally:
        os.close(descriptor)


def rehearse_journal(path: Path, peer: Peer) -> Acknowledged:
    """Return what a journal lists, and leave it as it is. Raises ``JournalError`` where ``Journal.open`` would."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if path.parent.is_dir() and not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=True):
            raise JournalError(f"{path}: its folder is not writable. Fix that, or use another file.") from None
    except OSError as error:
        raise _cannot(path, "opened for writing", error) from error
    else:
        try:
            _lock(path, descriptor)  # for this moment: it goes with the descriptor
        finally:
            os.close(descriptor)
    return read_journal(path, peer)


def _lock(path: Path, descriptor: int) -> None:
    """Keep other runs off. The lock goes with the process, however it ends."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise JournalError(
            f"{path}: another run is writing to it. Wait until it has ended, or use a separate journal for each run."
        ) from None


def _read(path: Path, descriptor: int, peer: Peer) -> tuple[Acknowledged, int]:
    """Return what a journal lists, and the length of its whole lines: the last one may have been torn by a crash."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise JournalError(f"{path}: is not a regular file. Use the path of a file; it does not have to exist.")
    acknowledged, good_bytes = Acknowledged(), 0
    try:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            file.seek(0)
            head = file.readline(65536)
            if not head.endswith(b"\n"):
                if not _encode(_head_of(peer)).startswith(head):
                    raise _foreign(path)
                return acknowledged, 0
            _check_head(path, head, peer)
            good_bytes = len(head)
            for number, line in enumerate(_whole_lines(file), 2):
                try:
                    acknowledged.add(json.loads(line))
                except MALFORMED as error:
                    raise JournalError(
                        f"{path}: its line {number} is damaged. Remove that line to send again what it listed, or use "
                        "another file to send everything again."
                    ) from error
                good_bytes += len(line)
    except OSError as error:
        raise _cannot(path, "read", error) from error
    return acknowledged, good_bytes


def _whole_lines(file: Iterable[bytes]) -> Iterable[bytes]:
    return (line for line in file if line.endswith(b"\n"))


def _check_head(path: Path, head: bytes, peer: Peer) -> None:
    """See that the first line is that of a journal, and that of this peer. Raises ``JournalError``."""
    try:
        found = json.loads(head)
        same = all(found[key] == value for key, value in _head_of(peer).items())
        if found["journal"] != FORMAT:
            raise _foreign(path)
    except MALFORMED as error:
        raise _foreign(path) from error
    if not same:
        raise JournalError(
            f"{path}: is the journal of what {found.get('called_aet')} at {found.get('host')}, port "
            f"{found.get('port')} acknowledged, not {peer}. Use a separate journal for each peer."
        )


def _state_now(instance: Instance) -> dict[str, Any]:
    return {
        "uid": instance.sop_instance_uid,
        "file": _digest(instance.path),
        "bytes": instance.file_bytes,
        "modified_ns": instance.modified_ns,
    }


def _head_of(peer: Peer) -> dict[str, Any]:
    return {
        "journal": FORMAT,
        "called_aet": peer.called_aet.strip(),
        "host": peer.host.lower().removesuffix("."),
        "port": peer.port,
    }


def _encode(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line).encode() + b"\n"


def _digest(path: Path) -> str:
    return hashlib.blake2b(os.fsencode(path.absolute()), digest_size=8).hexdigest()


def _foreign(path: Path) -> JournalError:
    return JournalError(
        f"{path}: exists, but is not a journal of dicom_store. It was not changed. Use the path of a journal, or of a "
        "file that does not exist yet."
    )


def _cannot(path: Path, what: str, error: OSError) -> JournalError:
    return JournalError(f"{path}: cannot be {what}: {error.strerror or error}. Fix that, or use another file.")
