# SPDX-License-Identifier: GPL-3.0-or-later
"""DICOM files: which there are, and what each of them is (PS3.10 §7)."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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

# What pydicom raises on a file that is damaged.
MALFORMED = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    EOFError,
    struct.error,
    zlib.error,
)


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
        return {"path": str(self.path), "reason": self.reason, "suspect": self.suspect}


@dataclass(frozen=True)
class Collection:
    """What was found under some paths. ``problems`` are paths that were named and cannot be used."""

    instances: tuple[Instance, ...]
    skipped: tuple[Skipped, ...]
    problems: tuple[str, ...]


def collect(paths: Iterable[str]) -> Collection:
    """Find the instances in files, folders (all the way down) and patterns (``**`` crosses folders).

    A file that is named must be a DICOM instance; one that a folder or a pattern brings in may be something else.
    A folder that cannot be read is a problem: nobody knows what is left behind there.
    """
    instances: dict[str, Instance] = {}
    skipped: list[Skipped] = []
    problems: list[str] = []
    for path in paths:
        named = Path(path).is_file()
        try:
            files = [path] if named else _files_under(path)
        except OSError as error:
            problems.append(f"{error.filename}: cannot be read: {error.strerror}")
            continue
        if not files:
            problems.append(f"{path}: no such file or folder, and no file matches it as a pattern")
        for file in map(Path, files):
            if str(file) in instances:
                continue
            try:
                instances[str(file)] = read_instance(file)
            except DicomFileError as error:
                if named:
                    problems.append(f"{file}: {error}")
                else:
                    skipped.append(Skipped(file, str(error), error.suspect))
    return Collection(tuple(instances.values()), tuple(skipped), tuple(problems))


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
        raise DicomFileError(f"is a damaged DICOM file ({error})", suspect=True) from error

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


def open_unchanged(instance: Instance) -> BinaryIO:
    """Open the file of an instance at its data set. Raises ``OSError``, also if it is not what it was when read."""
    file = instance.path.open("rb")
    try:
        status = os.fstat(file.fileno())
        if (status.st_size, status.st_mtime_ns) != (instance.file_bytes, instance.modified_ns):
            raise OSError("it was changed after its header had been read")
        file.seek(instance.data_set_offset)
    except BaseException:
        file.close()
        raise
    return file


def _files_under(path: str) -> list[str]:
    """Return the files of a folder, or those that match a pattern, sorted. Raises ``OSError``."""
    if Path(path).is_dir():
        return list(_walk(path))
    return sorted(file for file in glob.glob(path, recursive=True) if Path(file).is_file())  # noqa: PTH207


def _walk(folder: str) -> Iterator[str]:
    """Yield all files under a folder. Links to folders are not followed, links to files are."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        elif entry.is_file():
            yield entry.path
