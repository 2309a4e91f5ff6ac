# SPDX-License-Identifier: GPL-3.0-or-later
"""CT instances of 512 KB or more, with UIDs that no archive has seen: a re-sent one measures the duplicate path."""

from __future__ import annotations

import math
import random
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

ROWS = COLUMNS = 512


@dataclass(frozen=True)
class Study:
    """A study of one series, as files."""

    uid: str
    series_uid: str
    paths: Sequence[Path]

    @property
    def size_bytes(self) -> int:
        """Return the size of all files."""
        return sum(path.stat().st_size for path in self.paths)


def write_study(folder: Path, instances: int, enlarged: int = 1) -> Study:
    """Write a new study with as many CT instances (PS3.3 §A.3) into a folder, which is made.

    ``enlarged`` times as many rows and columns make the large image of another modality: 6 is 19 MB.
    """
    folder.mkdir(parents=True)
    image = _slice(enlarged)
    paths = []
    for number in range(1, instances + 1):
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.InstanceNumber = number
        image.ImagePositionPatient = [-250, -250, number]
        path = folder / f"{number:06}.dcm"
        image.save_as(path, enforce_file_format=True)
        paths.append(path)
    return Study(str(image.StudyInstanceUID), str(image.SeriesInstanceUID), paths)


def _slice(enlarged: int) -> Dataset:
    now = datetime.now()
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = CTImageStorage
    image.SpecificCharacterSet = "ISO_IR 192"
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.StudyDate = image.SeriesDate = now.strftime("%Y%m%d")
    image.StudyTime = image.SeriesTime = now.strftime("%H%M%S")
    image.AccessionNumber = ""
    image.Modality = "CT"
    image.Manufacturer = "cellcs.orthweb"
    image.ReferringPhysicianName = ""
    image.StudyDescription = "Benchmark"
    image.PatientName = "Benchmark^Orthweb"
    image.PatientID = "ORTHWEB-BENCHMARK"
    image.PatientBirthDate = ""
    image.PatientSex = "O"
    image.SliceThickness = 1
    image.KVP = 120
    image.StudyInstanceUID = generate_uid()
    image.SeriesInstanceUID = generate_uid()
    image.FrameOfReferenceUID = generate_uid()
    image.StudyID = "BENCHMARK"
    image.SeriesNumber = 1
    image.PositionReferenceIndicator = ""
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows = ROWS * enlarged
    image.Columns = COLUMNS * enlarged
    image.PixelSpacing = [round(0.977 / enlarged, 3)] * 2
    image.BitsAllocated = 16
    image.BitsStored = 12
    image.HighBit = 11
    image.PixelRepresentation = 0
    image.RescaleIntercept = -1024
    image.RescaleSlope = 1
    image.PixelData = _phantom() * enlarged**2
    return image


def _phantom() -> bytes:
    """Return pixels that compress like a CT slice: a body of water in air, with the noise of a scanner."""
    air, water, noise = 24, 1024, 20
    of_air = [max(0, round(random.gauss(air, noise / 2))) for _unused in range(4096)]
    of_water = [round(random.gauss(water, noise)) for _unused in range(4096)]
    pixels = array("H")
    for row in range(ROWS):
        height = (row - ROWS / 2) / (0.35 * ROWS)
        half = int(0.45 * COLUMNS * math.sqrt(1 - height * height)) if abs(height) < 1 else 0
        beside = COLUMNS // 2 - half
        pixels.extend(random.choices(of_air, k=beside) + random.choices(of_water, k=2 * half))
        pixels.extend(random.choices(of_air, k=beside))
    if sys.byteorder == "big":
        pixels.byteswap()
    return pixels.tobytes()
