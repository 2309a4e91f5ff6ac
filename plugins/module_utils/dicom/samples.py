# SPDX-License-Identifier: GPL-3.0-or-later
"""Sample instances for acceptance tests: pydicom's own images, filed under a new study of an invented patient."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

with contextlib.suppress(ImportError):  # the module says what is missing
    import pydicom
    from pydicom import dcmread
    from pydicom.uid import UID, generate_uid

from ..atomic_file import write_atomically

# Each is a part of pydicom's wheel, so that nothing is downloaded.
SAMPLES = {
    "ct": "CT_small.dcm",
    "mr": "MR_small.dcm",
    "ultrasound": "examples_ybr_color.dcm",
    "jpeg2000": "examples_jpeg2k.dcm",
    "rle": "MR_small_RLE.dcm",
}

# What modalities send that is not as a textbook has it: an attribute that is not there (None) or empty, and names in
# other character sets than UTF-8 (PS3.3 §C.12.1.1.2). Each is a CT image in a study and of a patient of its own.
UNUSUAL: dict[str, dict[str, str | list[str] | None]] = {
    "no-modality": {"Modality": None},
    "no-study-date": {"StudyDate": None, "StudyTime": None},
    "no-patient-name": {"PatientName": ""},
    "latin-1": {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^Jörg"},
    "iso-2022": {
        "SpecificCharacterSet": ["", "ISO 2022 IR 87"],
        "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    },
    "gb18030": {"SpecificCharacterSet": "GB18030", "PatientName": "Wang^XiaoDong=王^小东"},
}

# What the originals say of other patients (PS3.3 §C.7.1.1).
_OF_SOMEONE_ELSE = ("OtherPatientIDs", "OtherPatientNames", "OtherPatientIDsSequence", "PatientAge", "PatientComments")
LONG_STRING = 64


@dataclass(frozen=True)
class Study:
    """The study that the samples are filed under."""

    study_instance_uid: str
    patient_id: str
    patient_name: str
    time: datetime


@dataclass(frozen=True)
class SampleFile:
    """One sample, ready to be written to ``path``."""

    path: Path
    kind: str
    sop_class_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    content: bytes

    def to_result(self) -> dict[str, Any]:
        """Return it as a module's result, its content as a number of bytes."""
        return {
            "path": str(self.path),
            "kind": self.kind,
            "sop_class_uid": self.sop_class_uid,
            "transfer_syntax_uid": self.transfer_syntax_uid,
            "study_instance_uid": self.study_instance_uid,
            "series_instance_uid": self.series_instance_uid,
            "sop_instance_uid": self.sop_instance_uid,
            "bytes": len(self.content),
        }

    def write(self) -> None:
        """Write it, whole or not at all. Raises ``OSError``."""
        write_atomically(self.path, self.content)


def sample_problems(
    study_instance_uid: str | None, patient_id: str, patient_name: str, copies: int, unusual: bool
) -> list[str]:
    """Return all that is wrong with what the samples shall be filed under."""
    problems = []
    if study_instance_uid is not None and not UID(study_instance_uid).is_valid:
        problems.append(f"study_instance_uid: {study_instance_uid!r} is not a UID (PS3.5 §9.1)")
    for option, value in (("patient_id", patient_id), ("patient_name", patient_name)):
        if not value.strip():
            problems.append(f"{option}: is empty")
        if len(value) > LONG_STRING:
            problems.append(
                f"{option}: has {len(value)} characters, but at most {LONG_STRING} are allowed (PS3.5 §6.2)"
            )
        if "\\" in value or any(ord(character) < 0x20 for character in value):
            problems.append(f"{option}: {value!r} has a backslash or a control character (PS3.5 §6.2)")
    longest = max(len(unusual_patient_id(patient_id, kind)) for kind in UNUSUAL)
    if unusual and len(patient_id) <= LONG_STRING < longest:
        room = LONG_STRING - (longest - len(patient_id))
        problems.append(f"patient_id: has {len(patient_id)} characters, but with unusual at most {room} are allowed")
    if copies < 1:
        problems.append(f"copies: {copies} is below 1")
    return problems


def new_study(study_instance_uid: str | None, patient_id: str, patient_name: str) -> Study:
    """Return the study, with a fresh UID if none is given."""
    return Study(study_instance_uid or str(generate_uid()), patient_id, patient_name, datetime.now())


def samples(folder: Path, study: Study, kinds: Sequence[str], copies: int) -> Iterator[SampleFile]:
    """Make each kind of sample once, and ``ct`` ``copies`` times over; one series for each kind."""
    for number, kind in enumerate(kinds, start=1):
        source = _source(kind)
        series = str(generate_uid())
        count = copies if kind == "ct" else 1
        for instance_number in range(1, count + 1):
            name = f"{kind}.dcm" if count == 1 else f"{kind}-{instance_number:06}.dcm"
            yield _sample(source, folder / name, kind, study, series, number, instance_number)


def unusual_samples(folder: Path, patient_id: str, patient_name: str) -> Iterator[SampleFile]:
    """Make each of ``UNUSUAL`` once, under the patient ID with its kind behind."""
    for kind, changes in UNUSUAL.items():
        study = new_study(None, unusual_patient_id(patient_id, kind), patient_name)
        series = str(generate_uid())
        yield _sample(_source("ct"), folder / f"{kind}.dcm", kind, study, series, 1, 1, changes)


def unusual_patient_id(patient_id: str, kind: str) -> str:
    """Return the ID that an unusual sample is filed under."""
    return f"{patient_id}-{kind.upper()}"


def _source(kind: str) -> Path:
    return Path(pydicom.__file__).parent / "data" / "test_files" / SAMPLES[kind]


def _sample(
    source: Path,
    path: Path,
    kind: str,
    study: Study,
    series: str,
    series_number: int,
    instance_number: int,
    changes: Mapping[str, str | list[str] | None] = MappingProxyType({}),
) -> SampleFile:
    buffer = BytesIO()
    image = dcmread(source)
    for keyword in _OF_SOMEONE_ELSE:
        if keyword in image:
            delattr(image, keyword)
    image.SpecificCharacterSet = "ISO_IR 192"
    image.PatientID = study.patient_id
    image.PatientName = study.patient_name
    image.PatientBirthDate = ""
    image.PatientSex = "O"
    image.StudyInstanceUID = study.study_instance_uid
    image.StudyDate = study.time.strftime("%Y%m%d")
    image.StudyTime = study.time.strftime("%H%M%S")
    image.StudyID = "ACCEPTANCE"
    image.AccessionNumber = ""
    image.StudyDescription = "Acceptance test"
    image.SeriesInstanceUID = series
    image.SeriesNumber = series_number
    image.InstanceNumber = instance_number
    image.SOPInstanceUID = generate_uid()  # save_as() puts it into the file meta, too
    for keyword, value in changes.items():
        if value is None:
            delattr(image, keyword)
        else:
            setattr(image, keyword, value)
    image.save_as(buffer, enforce_file_format=True)
    return SampleFile(
        path=path,
        kind=kind,
        sop_class_uid=str(image.SOPClassUID),
        transfer_syntax_uid=str(image.file_meta.TransferSyntaxUID),
        study_instance_uid=study.study_instance_uid,
        series_instance_uid=series,
        sop_instance_uid=str(image.SOPInstanceUID),
        content=buffer.getvalue(),
    )
