# SPDX-License-Identifier: GPL-3.0-or-later
"""Studies that a browser is to show: one image of each kind, and a series of hundreds of slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.samples import (
    SAMPLES,
    new_study,
    samples,
)
from ansible_collections.cellcs.orthweb.plugins.module_utils.dicom.samples import Study as FiledUnder
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.uid import generate_uid

from .rest import remove
from .stack import STORESCU, Stack

# What storescu is to propose.
PROPOSED = {"ultrasound": "-xy", "jpeg2000": "-xv", "rle": "-xr"}
SIZE = 128
AT_A_TIME = 4
WINDOW_WIDTH, WINDOW_CENTER = 1000, 500


@dataclass
class Study:
    """A study that was sent.

    :ivar number: what the patient's name and ID have at their end
    :ivar series: kind to UID
    :ivar sent: SOP instance UID to what was sent under it
    """

    uid: str
    name: str
    number: str
    series: dict[str, str] = field(default_factory=dict)
    sent: dict[str, Dataset] = field(default_factory=dict)

    @property
    def patient_id(self) -> str:
        return f"BROWSER-{self.number}"

    @property
    def patient_in_ohif(self) -> str:
        return f"{self.name}, {self.number}"

    @property
    def filed_under(self) -> FiledUnder:
        return new_study(self.uid, self.patient_id, f"{self.name}^{self.number}")


def storescu(stack: Stack, *arguments: str) -> None:
    done = stack.dcmtk(STORESCU, *arguments)
    assert done.returncode == 0, done.stderr


@contextmanager
def study_of(stack: Stack, name: str, send: Callable[[Stack, Path, Study], None], folder: Path) -> Iterator[Study]:
    """A study of a patient whom no other run has, sent by ``send``; it is removed at the end."""
    uid = str(generate_uid())
    study = Study(uid, name, uid[-8:])
    try:
        send(stack, folder, study)
        yield study
    finally:
        remove(stack, uid)


def one_of_each(stack: Stack, folder: Path, study: Study) -> None:
    """A series of each kind, sent with storescu."""
    for sample in samples(folder, study.filed_under, [*SAMPLES], 1):
        sample.write()
        image = dcmread(sample.path)
        study.series[sample.kind] = image.SeriesInstanceUID
        study.sent[image.SOPInstanceUID] = image
        storescu(stack, *([PROPOSED[sample.kind]] if sample.kind in PROPOSED else []), str(sample.path))


def value_of(slice_number: int) -> int:
    """What a slice has in its right half."""
    return 2 * slice_number


def grey_of(value: int) -> float:
    """How bright it is to be in the window that the slices ask for (PS3.3 §C.11.2.1.2)."""
    return 255 * ((value - (WINDOW_CENTER - 0.5)) / (WINDOW_WIDTH - 1) + 0.5)


def slices(stack: Stack, folder: Path, study: Study, count: int) -> None:
    """A CT series, each slice of another brightness in its right half, with a ramp in its left one."""
    (sample,) = samples(folder, study.filed_under, ["ct"], 1)
    image = dcmread(DicomBytesIO(sample.content))
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue", "DataSetTrailingPadding"):
        if keyword in image:
            delattr(image, keyword)
    image.Rows = image.Columns = SIZE
    image.RescaleIntercept, image.RescaleSlope = 0, 1
    image.WindowWidth, image.WindowCenter = WINDOW_WIDTH, WINDOW_CENTER
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.PixelSpacing, image.SliceThickness = [1, 1], 1
    image.FrameOfReferenceUID = generate_uid()
    pixels = numpy.zeros((SIZE, SIZE), dtype="<i2")
    pixels[:, : SIZE // 2] = numpy.linspace(0, WINDOW_WIDTH, SIZE // 2)
    for number in range(1, count + 1):
        pixels[:, SIZE // 2 :] = value_of(number)
        image.PixelData = pixels.tobytes()
        image.SOPInstanceUID = generate_uid()
        image.InstanceNumber = number
        image.SliceLocation = -number
        image.ImagePositionPatient = [0, 0, -number]  # OHIF begins at the head
        image.save_as(folder / f"{number:04}.dcm", enforce_file_format=True)
    files = sorted(map(str, folder.glob("*.dcm")))
    with ThreadPoolExecutor(AT_A_TIME) as senders:
        list(senders.map(lambda first: storescu(stack, *files[first::AT_A_TIME]), range(min(AT_A_TIME, count))))
