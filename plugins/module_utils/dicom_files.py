# SPDX-License-Identifier: GPL-3.0-or-later
"""DICOM files: which there are, and what each of them is (PS3.10 §7)."""

from __future__ import annotations

import contextlib
import glob
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

with contextlib.suppress(ImportError):  # the module says what is missing
    from pydicom import dcmread
    from pynetdicom.dsutils import split_dataset

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"

_IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")

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
    """A file is no DICOM instance that could be sent; ``str()`` says why, without naming it."""


@dataclass(frozen=True)
class Instance:
    """One SOP instance in a file. Its data set begins at ``data_set_offset`` and is ``data_set_bytes`` long."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    data_set_offset: int
    data_set_bytes: int


@dataclass(frozen=True)
class Skipped:
    """A file that was met in a folder or by a pattern, and that is no DICOM instance."""

    path: Path
    reason: str

    def to_result(self) -> dict[str, str]:
        """Return it as a module's result."""
        return {"path": str(self.path), "reason": self.reason}


@dataclass(frozen=True)
class Collection:
    """What was found under some paths. ``problems`` are paths that were named and cannot be used."""

    instances: tuple[Instance, ...]
    skipped: tuple[Skipped, ...]
    problems: tuple[str, ...]


def collect(paths: Iterable[str]) -> Collection:
    """Find the instances in files, folders (all the way down) and patterns (``**`` crosses folders).

    A file that is named must be a DICOM instance; one that a folder or a pattern brings in may be something else.
    """
    instances: dict[Path, Instance] = {}
    skipped: list[Skipped] = []
    problems: list[str] = []
    for path in paths:
        named = Path(path).is_file()
        files = [Path(path)] if named else _files_under(path)
        if not files:
            problems.append(f"{path}: no such file or folder, and no file matches it as a pattern")
        for file in files:
            if file in instances:
                continue
            try:
                instances[file] = read_instance(file)
            except DicomFileError as error:
                if named:
                    problems.append(f"{file}: {error}")
                else:
                    skipped.append(Skipped(file, str(error)))
    return Collection(tuple(instances.values()), tuple(skipped), tuple(problems))


def read_instance(path: Path) -> Instance:
    """Read what a file holds, its bulk left aside. Raises ``DicomFileError``."""
    try:
        with path.open("rb") as file:
            if file.read(132)[128:] != b"DICM":
                raise DicomFileError("is no DICOM file: there is no DICM at byte 128 (PS3.10 §7.1)")
            file.seek(0)
            head = dcmread(file, stop_before_pixels=True, specific_tags=[*_IDENTIFIERS])
            _, offset = split_dataset(path)
        size = path.stat().st_size
        transfer_syntax = str(head.file_meta.get("TransferSyntaxUID", ""))
        identifiers = {keyword: str(head.get(keyword) or "") for keyword in _IDENTIFIERS}
    except OSError as error:
        raise DicomFileError(f"cannot be read: {error.strerror or error}") from error
    except MALFORMED as error:
        raise DicomFileError(f"is a damaged DICOM file ({error})") from error

    if str(head.file_meta.get("MediaStorageSOPClassUID", "")) == MEDIA_STORAGE_DIRECTORY:
        raise DicomFileError("is a DICOMDIR, a table of contents and no instance (PS3.10 §8)")
    missing = [keyword for keyword, value in identifiers.items() if not value]
    if not transfer_syntax:
        missing.append("TransferSyntaxUID")
    if missing:
        raise DicomFileError(f"lacks {', '.join(missing)}, without which no archive can file it")
    return Instance(
        path=path,
        sop_class_uid=identifiers["SOPClassUID"],
        sop_instance_uid=identifiers["SOPInstanceUID"],
        study_instance_uid=identifiers["StudyInstanceUID"],
        series_instance_uid=identifiers["SeriesInstanceUID"],
        transfer_syntax_uid=transfer_syntax,
        data_set_offset=offset,
        data_set_bytes=size - offset,
    )


def _files_under(path: str) -> list[Path]:
    if Path(path).is_dir():
        return sorted(file for file in Path(path).rglob("*") if file.is_file())
    return sorted(Path(file) for file in glob.glob(path, recursive=True) if Path(file).is_file())  # noqa: PTH207
