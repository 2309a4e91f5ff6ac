# SPDX-License-Identifier: GPL-3.0-or-later
"""Images to send, and how to send and fetch them, with pynetdicom and the REST API."""

from __future__ import annotations

import requests
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.filebase import DicomBytesIO
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import CTImageStorage, Verification

from .rest import rest
from .stack import Stack

CALLING_AET, CALLED_AET = "WORKSTATION", "ORTHANC"


def ct_image(study: str) -> Dataset:
    """A CT image with a SOP instance UID that no archive has."""
    image = dcmread(get_testdata_file("CT_small.dcm"))
    image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID = study, generate_uid(), generate_uid()
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    return image


def encoded(given: Dataset) -> bytes:
    """As a file (PS3.10)."""
    buffer = DicomBytesIO()
    dcmwrite(buffer, given, enforce_file_format=True)
    return buffer.getvalue()


def associate(stack: Stack) -> Association:
    """An association through nginx, with the client certificate."""
    ae = AE(CALLING_AET)
    ae.connection_timeout = 30  # with the handshake: whoever answers may die in between
    ae.add_requested_context(Verification)
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    return ae.associate(stack.host, stack.dicom_port, ae_title=CALLED_AET, tls_args=(stack.client_tls(), stack.host))


def is_stored(association: Association, image: Dataset) -> bool:
    """Whether the archive acknowledged the image with success (PS3.4 annex B.2.3)."""
    try:
        answer = association.send_c_store(image)
    except (RuntimeError, ValueError):  # the association is gone
        return False
    return "Status" in answer and answer.Status == 0x0000


def fetch(stack: Stack, sop_instance_uid: str, session: requests.Session | None = None) -> Dataset:
    """The instance as the archive keeps it.

    :param session: one for many, which is much faster
    """
    session = session or rest(stack)
    found = session.post(f"{stack.portal}/orthanc/tools/lookup", data=sop_instance_uid, timeout=30).json()
    assert len(found) == 1, f"{sop_instance_uid} was acknowledged, and the archive has it {len(found)} times"
    answer = session.get(f"{stack.portal}/orthanc{found[0]['Path']}/file", timeout=30)
    answer.raise_for_status()
    return dcmread(DicomBytesIO(answer.content))
