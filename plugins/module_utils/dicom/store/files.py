# SPDX-License-Identifier: GPL-3.0-or-later
"""A DICOM file: what it holds (PS3.10 §7), and its data set, to be sent as it is."""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

with contextlib.suppress(ImportError):  # the module says what is missing
    from pydicom.filereader import read_partial
    from pynetdicom.dsutils import split_dataset

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
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


def read_instance(path: Path) -> Instance:
    """Read what a file holds, no further than its identifiers. Raises ``DicomFileError``."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if file.read(132)[128:] != b"DICM":
                raise DicomFileError("is not a DICOM file: there is no DICM at byte 128 (PS3.10 §7.1)")
            file.seek(0)
            head = read_head(file)
        meta, offset = split_dataset(path)
        found = {keyword: str(head.get(keyword) or "") for keyword in _IDENTIFIERS}
        found["TransferSyntaxUID"] = str(meta.get("TransferSyntaxUID") or "")
        sop_class_of_file = str(meta.get("MediaStorageSOPClassUID") or "")
    except OSError as error:
        raise DicomFileError(f"cannot be read: {error.strerror or error}", suspect=True) from error
    except MALFORMED as error:
        raise DicomFileError(f"is a damaged DICOM file ({error or type(error).__name__})", suspect=True) from error

    if sop_class_of_file == MEDIA_STORAGE_DIRECTORY:
        raise DicomFileError("is a DICOMDIR, a table of contents and not an instance (PS3.10 §8)")
    missing = [keyword for keyword, value in found.items() if not value]
    if missing:
        raise DicomFileError(f"lacks {', '.join(missing)}, without which no archive can store it", suspect=True)
    wrong = [f"{keyword} {value!r}" for keyword, value in found.items() if not _UID.fullmatch(value)]
    if wrong:
        raise DicomFileError(f"has no valid UID (PS3.5 §9.1) as {', '.join(wrong)}", suspect=True)
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


def read_head(file: BinaryIO) -> Dataset:
    """Read a DICOM file up to the last of the identifiers. Raises ``OSError`` and one of ``MALFORMED``."""
    return read_partial(file, stop_when=_is_past_identifiers)


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
