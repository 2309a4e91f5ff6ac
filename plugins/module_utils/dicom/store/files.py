# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DICOM files: which there are, and what each of them is (PS3.10 §7)."""

from __future__ import annotations

import contextlib
import glob
import io
import os
import re
import stat
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

with contextlib.suppress(ImportError):  # the module says what is missing
    from pydicom.filereader import read_partial
    from pynetdicom.dsutils import split_dataset

if TYPE_CHECKING:
    from pydicom.tag import BaseTag

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"

_IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
# Leading zeros in a part, which the standard forbids, are in files of real vendors, and harm nobody.
_UID = re.compile(r"[0-9.]{1,64}", re.ASCII)
_LAST_IDENTIFIER = 0x0020000E  # elements come in the order of their tags (PS3.5 §7.1)


# What pydicom raises on a file that is damaged. RecursionError: sequences that are nested without end.
MALFORMED: tuple[type[Exception], ...] = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    EOFError,
    RecursionError,
    struct.error,
    zlib.error,
)
with contextlib.suppress(ImportError):
    from pydicom.errors import BytesLengthException

    MALFORMED += (BytesLengthException,)


def shown(path: str | Path) -> str:
    """Return a path as text that any result can carry: bytes in it that are not UTF-8 as ``\\xff``.

    Python has these as lone surrogates, which Ansible does not take from a module: all of its result would be lost.
    """
    try:
        return os.fsencode(path).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte, so that no file can have it
        return str(path).encode("utf-8", "backslashreplace").decode()


class DicomFileError(Exception):
    """A file is no DICOM instance that could be sent; ``str()`` says why, without naming it.

    ``suspect``: it may be one all the same, but cannot be read.
    """

    def __init__(self, reason: str, suspect: bool = False) -> None:
        super().__init__(reason)
        self.suspect = suspect


@dataclass(frozen=True, slots=True)
class Instance:
    """One SOP instance in a file. Its data set begins at ``data_set_offset`` and is ``data_set_bytes`` long.

    ``modified_ns`` is when the file was last changed, in nanoseconds since 1970.
    """

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    data_set_offset: int
    data_set_bytes: int
    modified_ns: int

    @property
    def file_bytes(self) -> int:
        """Return the size of the file."""
        return self.data_set_offset + self.data_set_bytes


@dataclass(frozen=True)
class Skipped:
    """A file that was met in a folder or by a pattern, and that is no DICOM instance, or a ``suspect`` one."""

    path: Path
    reason: str
    suspect: bool = False

    def to_result(self) -> dict[str, str | bool]:
        """Return it as a module's result."""
        return {"path": shown(self.path), "reason": self.reason, "suspect": self.suspect}


@dataclass(frozen=True)
class Collection:
    """What was found under some paths. ``problems`` are paths that were named and cannot be used."""

    instances: tuple[Instance, ...]
    skipped: tuple[Skipped, ...]
    problems: tuple[str, ...]


def collect(paths: Iterable[str]) -> Collection:
    """Find the instances in files, folders (all the way down) and patterns (``**`` crosses folders).

    A file that is named must be a DICOM instance; one that a folder or a pattern brings in may be something else.
    A folder that cannot be read is a problem: nobody knows what is left behind there. Links to files are followed;
    those to folders, and those that lead nowhere, are passed over, and suspect.
    """
    instances: dict[str, Instance] = {}
    skipped: dict[str, Skipped] = {}
    problems: list[str] = []
    for path in paths:
        try:
            named = Path(path).is_file()
            entries = [_Entry(path)] if named else _entries_under(path)
        except OSError as error:
            problems.append(f"{shown(error.filename or path)}: cannot be read: {error.strerror or error}")
            continue
        except ValueError as error:
            problems.append(f"{shown(path)}: is no path: {error}")
            continue
        if not entries:
            problems.append(f"{shown(path)}: no such file or folder, and no file matches it as a pattern")
        for entry in entries:
            file = Path(entry.path)
            key = str(file)
            if key in instances or (key in skipped and not named):
                continue
            if entry.not_followed:
                skipped[key] = Skipped(file, entry.not_followed, suspect=True)
                continue
            try:
                instances[key] = read_instance(file)
            except DicomFileError as error:
                if named:
                    problems.append(f"{shown(file)}: {error}")
                else:
                    skipped[key] = Skipped(file, str(error), error.suspect)
    return Collection(tuple(instances.values()), tuple(skipped.values()), tuple(problems))


def read_instance(path: Path) -> Instance:
    """Read what a file holds, no further than its identifiers. Raises ``DicomFileError``."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if file.read(132)[128:] != b"DICM":
                raise DicomFileError("is no DICOM file: there is no DICM at byte 128 (PS3.10 §7.1)")
            file.seek(0)
            head = read_partial(file, stop_when=_is_past_identifiers)
        meta, offset = split_dataset(path)
        found = {keyword: str(head.get(keyword) or "") for keyword in _IDENTIFIERS}
        found["TransferSyntaxUID"] = str(meta.get("TransferSyntaxUID") or "")
        sop_class_of_file = str(meta.get("MediaStorageSOPClassUID") or "")
    except OSError as error:
        raise DicomFileError(f"cannot be read: {error.strerror or error}", suspect=True) from error
    except MALFORMED as error:
        raise DicomFileError(f"is a damaged DICOM file ({error or type(error).__name__})", suspect=True) from error

    if sop_class_of_file == MEDIA_STORAGE_DIRECTORY:
        raise DicomFileError("is a DICOMDIR, a table of contents and no instance (PS3.10 §8)")
    missing = [keyword for keyword, value in found.items() if not value]
    if missing:
        raise DicomFileError(f"lacks {', '.join(missing)}, without which no archive can file it", suspect=True)
    wrong = [f"{keyword} {value!r}" for keyword, value in found.items() if not _UID.fullmatch(value)]
    if wrong:
        raise DicomFileError(f"has no UID (PS3.5 §9.1) as {', '.join(wrong)}", suspect=True)
    return Instance(
        path=path,
        # Thousands of instances are of one study: it is there once.
        sop_class_uid=sys.intern(found["SOPClassUID"]),
        sop_instance_uid=found["SOPInstanceUID"],
        study_instance_uid=sys.intern(found["StudyInstanceUID"]),
        series_instance_uid=sys.intern(found["SeriesInstanceUID"]),
        transfer_syntax_uid=sys.intern(found["TransferSyntaxUID"]),
        data_set_offset=offset,
        data_set_bytes=status.st_size - offset,
        modified_ns=status.st_mtime_ns,
    )


def _is_past_identifiers(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag > _LAST_IDENTIFIER


class _UnchangedFile(io.BufferedReader):
    """The data set in the file of an instance. Reading raises ``OSError`` if the file is not what it was.

    At its end it looks once more: an association that is ended before the last fragment stores nothing.
    """

    def __init__(self, instance: Instance) -> None:
        super().__init__(io.FileIO(instance.path))
        self._was = (instance.file_bytes, instance.modified_ns)
        self._left = instance.data_set_bytes
        try:
            if self._is_now() != self._was:
                raise OSError("it was changed after its header had been read")
            self.seek(instance.data_set_offset)
        except BaseException:
            self.close()
            raise

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self._left -= len(data)
        if self._left < 0 or (not data and (self._left or self._is_now() != self._was)):
            raise OSError("it was changed while it was sent")
        return data

    def _is_now(self) -> tuple[int, int]:
        status = os.fstat(self.fileno())
        return status.st_size, status.st_mtime_ns


def open_unchanged(instance: Instance) -> BinaryIO:
    """Open the file of an instance at its data set, to be read to its end.

    Opening and reading raise ``OSError``, also if it is not what it was when its header was read.
    """
    return _UnchangedFile(instance)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file that was met, or a link that is not followed, and why not."""

    path: str
    not_followed: str = ""


_EVERYTHING = ("**",)


def _entries_under(path: str) -> list[_Entry]:
    """Return the files of a folder, or those that match a pattern, in the order of their paths. Raises ``OSError``."""
    if Path(path).is_dir():
        return list(_walk(path, [_EVERYTHING]))
    parts = Path(path).parts
    fixed = next((number for number, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    folder = Path(*parts[:fixed])
    if fixed == len(parts) or not folder.is_dir():
        return []
    return list(_walk(str(folder), [parts[fixed:]]))


def _walk(folder: str, patterns: list[tuple[str, ...]]) -> Iterator[_Entry]:
    """Yield all files under a folder that match one of ``patterns``, each of them the parts of a relative path.

    Only folders that a pattern leads into are looked at. Links to files are followed, others are said to be links.
    """
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        below = list(dict.fromkeys(rest for pattern in patterns for rest in _below(pattern, entry.name)))
        wanted = any(_is_file_of(pattern, entry.name) for pattern in patterns)
        if entry.is_dir(follow_symlinks=False):
            if below:
                yield from _walk(entry.path, below)
        elif entry.is_symlink():
            yield from _linked(entry.path, wanted, bool(below))
        elif wanted and entry.is_file():
            yield _Entry(entry.path)


def _linked(path: str, wanted: bool, leads_on: bool) -> Iterator[_Entry]:
    """Yield what a link is: a file, or something that would be left behind without a word."""
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        if wanted:
            reason = f"is a link that leads nowhere ({error.strerror}): mend it, or remove it"
            yield _Entry(path, reason)
        return
    if stat.S_ISDIR(mode):
        if leads_on:
            target = shown(os.path.realpath(path))
            yield _Entry(
                path, f"is a link to a folder, which is not followed: name {target} in paths, if it is not there"
            )
    elif wanted and stat.S_ISREG(mode):
        yield _Entry(path)


def _below(pattern: tuple[str, ...], folder: str) -> Iterator[tuple[str, ...]]:
    """Yield what is left of a pattern inside a folder of that name: nothing, one rest, or several behind ``**``."""
    first, rest = pattern[0], pattern[1:]
    if first == "**":
        yield pattern
        if rest:
            yield from _below(rest, folder)
    elif rest and fnmatchcase(folder, first):
        yield rest


def _is_file_of(pattern: tuple[str, ...], file: str) -> bool:
    first, rest = pattern[0], pattern[1:]
    if first == "**":
        return not rest or _is_file_of(rest, file)
    return not rest and fnmatchcase(file, first)
