# SPDX-License-Identifier: GPL-3.0-or-later
"""One study of each kind that a hospital has, made here or taken from pydicom, for a browser to show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO

import av
import numpy
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
)
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sr.codedict import codes
from pydicom.uid import (
    MPEG2MPML,
    MPEG4HP41,
    UID,
    CTImageStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    RTStructureSetStorage,
    VideoEndoscopicImageStorage,
    generate_uid,
)

from .rest import rest
from .stack import Stack

SIZE = 128
SLICES = 5
INSIDE, OUTSIDE = 300, -100  # of the phantom, in Hounsfield units
VIDEO_FRAMES, VIDEO_RATE, VIDEO_SIZE = 60, 25, (320, 240)


def new_instance(sop_class: UID, modality: str, transfer_syntax: UID = ExplicitVRLittleEndian) -> Dataset:
    """What every instance has (PS3.3 §C.12.1)."""
    instance = Dataset()
    instance.file_meta = FileMetaDataset()
    instance.file_meta.TransferSyntaxUID = transfer_syntax
    instance.SOPClassUID = instance.file_meta.MediaStorageSOPClassUID = sop_class
    instance.SpecificCharacterSet = "ISO_IR 192"
    instance.StudyInstanceUID, instance.SeriesInstanceUID = generate_uid(), generate_uid()
    instance.SOPInstanceUID = instance.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    instance.PatientName, instance.PatientID = "", ""
    instance.PatientBirthDate, instance.PatientSex = "", ""
    instance.StudyDate, instance.StudyTime = "20260102", "030405"
    instance.AccessionNumber, instance.StudyID, instance.ReferringPhysicianName = "", "1", ""
    instance.Modality, instance.SeriesNumber, instance.InstanceNumber = modality, 1, 1
    return instance


def from_pydicom(name: str) -> Dataset:
    """One of its test files, or of the package pydicom-data, with UIDs that no archive has."""
    path = get_testdata_file(name, download=False)
    assert path, f"{name}: not there; is pydicom-data installed?"
    instance = dcmread(path)
    instance.StudyInstanceUID, instance.SeriesInstanceUID = generate_uid(), generate_uid()
    instance.SOPInstanceUID = instance.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return instance


def phantom() -> list[Dataset]:
    """A CT series of a cylinder."""
    down, right = numpy.mgrid[:SIZE, :SIZE] - SIZE / 2
    pixels = numpy.where(numpy.hypot(down, right) < SIZE / 4, INSIDE, OUTSIDE + right.astype(int)).astype("<i2")
    series, frame_of_reference, study = generate_uid(), generate_uid(), generate_uid()
    slices = []
    for number in range(SLICES):
        image = new_instance(CTImageStorage, "CT")
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame_of_reference
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.InstanceNumber = number + 1
        image.PositionReferenceIndicator, image.KVP = "", "120"
        image.ImagePositionPatient = [-SIZE / 2, -SIZE / 2, float(number)]
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.PixelSpacing, image.SliceThickness = [1, 1], 1
        image.Rows = image.Columns = SIZE
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
        image.RescaleIntercept, image.RescaleSlope, image.RescaleType = 0, 1, "HU"
        image.WindowWidth, image.WindowCenter = 600, 100
        image.PixelData = pixels.tobytes()
        slices.append(image)
    return slices


def segmentation() -> list[Dataset]:
    """The cylinder, and a SEG of it (PS3.3 §A.51)."""
    slices = phantom()
    cylinder = SegmentDescription(
        1,
        "Cylinder",
        codes.SCT.Organ,
        codes.SCT.Liver,
        SegmentAlgorithmTypeValues.MANUAL,
    )
    made = Segmentation(
        slices,
        numpy.stack([image.pixel_array == INSIDE for image in slices]),
        SegmentationTypeValues.BINARY,
        [cylinder],
        series_instance_uid=generate_uid(),
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="cellcs.orthweb",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
    )
    return [*slices, made]


def structure_set() -> list[Dataset]:
    """The cylinder, and its outline in an RTSTRUCT (PS3.3 §A.19)."""
    slices = phantom()
    made = new_instance(RTStructureSetStorage, "RTSTRUCT")
    made.StudyInstanceUID, made.FrameOfReferenceUID = slices[0].StudyInstanceUID, slices[0].FrameOfReferenceUID
    made.SeriesNumber = 2
    made.StructureSetLabel, made.StructureSetDate, made.StructureSetTime = "CYLINDER", "20260102", "030405"

    image_items = [reference(image) for image in slices]
    series_item = Dataset()
    series_item.SeriesInstanceUID, series_item.ContourImageSequence = slices[0].SeriesInstanceUID, image_items
    study_item = Dataset()
    study_item.ReferencedSOPClassUID = UID("1.2.840.10008.3.1.2.3.1")
    study_item.ReferencedSOPInstanceUID = made.StudyInstanceUID
    study_item.RTReferencedSeriesSequence = [series_item]
    frame_item = Dataset()
    frame_item.FrameOfReferenceUID, frame_item.RTReferencedStudySequence = made.FrameOfReferenceUID, [study_item]
    made.ReferencedFrameOfReferenceSequence = [frame_item]

    region = Dataset()
    region.ROINumber, region.ROIName, region.ROIGenerationAlgorithm = 1, "Cylinder", "MANUAL"
    region.ReferencedFrameOfReferenceUID = made.FrameOfReferenceUID
    made.StructureSetROISequence = [region]
    angles = numpy.linspace(0, 2 * numpy.pi, 36, endpoint=False)
    contours = []
    for image in slices:
        contour = Dataset()
        contour.ContourImageSequence = [reference(image)]
        contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(angles)
        z = image.ImagePositionPatient[2]
        contour.ContourData = [
            f"{value:.3f}"
            for angle in angles
            for value in (*(SIZE / 4 * numpy.array((numpy.cos(angle), numpy.sin(angle)))), z)
        ]
        contours.append(contour)
    outline = Dataset()
    outline.ReferencedROINumber, outline.ROIDisplayColor, outline.ContourSequence = 1, [255, 0, 0], contours
    made.ROIContourSequence = [outline]
    observation = Dataset()
    observation.ObservationNumber, observation.ReferencedROINumber = 1, 1
    observation.RTROIInterpretedType, observation.ROIInterpreter = "ORGAN", ""
    made.RTROIObservationsSequence = [observation]
    return [*slices, made]


def reference(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    return item


def pdf_of(text: str) -> bytes:
    """A document of one page (ISO 32000-1 §7.5)."""
    page = f"BT /F1 36 Tf 72 700 Td ({text}) Tj ET".encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page),
    ]
    document = b"%PDF-1.4\n"
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(document))
        document += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return document + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (len(places) + 1, table, len(places) + 1, len(document))
    )


def document() -> list[Dataset]:
    """An Encapsulated PDF (PS3.3 §A.45.1)."""
    made = new_instance(EncapsulatedPDFStorage, "DOC")
    made.ContentDate, made.ContentTime, made.AcquisitionDateTime = "20260102", "030405", ""
    made.BurnedInAnnotation, made.ConversionType, made.DocumentTitle = "YES", "WSD", "Report"
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    content = pdf_of("Report of the orthweb test")
    made.EncapsulatedDocument, made.EncapsulatedDocumentLength = content + b"\0" * (len(content) % 2), len(content)
    return [made]


def mp4() -> bytes:
    """H.264 in the High Profile: a bar that travels to the right over grey."""
    width, height = VIDEO_SIZE
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=VIDEO_RATE, options={"profile": "high"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(VIDEO_FRAMES):
            pixels = numpy.full((height, width, 3), 128, dtype="uint8")
            at = number * width // VIDEO_FRAMES
            pixels[:, at : at + 20] = (255, 255, 0)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def video() -> list[Dataset]:
    """A film of an endoscope, MPEG-4 AVC/H.264 (PS3.5 §8.2.7)."""
    made = new_instance(VideoEndoscopicImageStorage, "ES", MPEG4HP41)
    made.NumberOfFrames, made.CineRate, made.FrameTime = VIDEO_FRAMES, VIDEO_RATE, 1000 / VIDEO_RATE
    made.FrameIncrementPointer = 0x00181063
    made.Columns, made.Rows = VIDEO_SIZE
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PlanarConfiguration = 3, "YBR_PARTIAL_420", 0
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.ImageType, made.LossyImageCompression = ["ORIGINAL", "PRIMARY"], "01"
    made.PixelData = encapsulate([mp4()], has_bot=False)
    made["PixelData"].VR = "OB"
    return [made]


def old_video() -> list[Dataset]:
    """One that says it is MPEG-2, which browsers do not play."""
    (made,) = video()
    made.file_meta.TransferSyntaxUID = MPEG2MPML
    return [made]


KINDS: dict[str, Callable[[], Sequence[Dataset]]] = {
    "ct": phantom,
    "mr": lambda: [from_pydicom("MR_small.dcm")],
    "us-cine": lambda: [from_pydicom("examples_ybr_color.dcm")],
    "multi-frame": lambda: [from_pydicom("emri_small.dcm")],
    "rtstruct": structure_set,
    "seg": segmentation,
    "pdf": document,
    "sr": lambda: [from_pydicom("test-SR.dcm")],
    "ecg": lambda: [from_pydicom("waveform_ecg.dcm")],
    "video": video,
    "video-mpeg2": old_video,
}


def store(stack: Stack, instance: Dataset) -> None:
    """Bring it to the archive, which takes it as it is."""
    file = BytesIO()
    instance.save_as(file, enforce_file_format=True)
    rest(stack).post(f"{stack.portal}/orthanc/instances", data=file.getvalue(), timeout=60).raise_for_status()


def study_of_kind(kind: str, uid: str, patient_id: str, patient_name: str) -> list[Dataset]:
    """The instances of such a study, filed under this patient."""
    instances = list(KINDS[kind]())
    for instance in instances:
        instance.StudyInstanceUID = uid
        instance.PatientID, instance.PatientName = patient_id, patient_name
        instance.StudyDescription = f"Kind {kind}"
    return instances


# --- studies that are unusual, and right all the same

NAMES = {
    "umlaut": ("ISO_IR 100", "Müller^Anna Karin"),
    "utf-8": ("ISO_IR 192", "Żółć^Łukasz"),
    "japanese": ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "korean": ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
    "chinese": ("GB18030", "王^小东"),
    "empty": ("ISO_IR 100", ""),
}


def odd_studies(number: str) -> dict[str, Dataset]:
    """One CT image each: without what every study has, or with a name in other characters (PS3.3 §C.12.1.1.2)."""
    odd = {}
    for kind in ("no-modality", "no-date", *NAMES):
        image = phantom()[0]
        image.PatientID, image.PatientName = f"ODD-{number}-{kind}", f"Odd^{kind}"
        image.StudyDescription = f"Odd {kind}"
        if kind in NAMES:
            character_set, name = NAMES[kind]
            image.SpecificCharacterSet = character_set.split("\\")
            image.PatientName = name
        if kind == "no-modality":
            del image.Modality
        if kind == "no-date":
            del image.StudyDate, image.StudyTime
        odd[kind] = image
    return odd
